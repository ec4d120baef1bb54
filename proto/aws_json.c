#include "proto/aws_json.h"

#include <time.h>

#include "proto/json_writer.h"
#include "proto/wire.h"

struct transcoder {
  struct annals_json_writer writer;
  bool include_data;
  bool exact_times;
};

enum { NANOS_PER_SECOND = 1000000000, NANOS_PER_MILLI = 1000000, NANOS_PER_MICRO = 1000 };

/* A key and what has a bounded length behind it: numbers, names, or the braces of messages. Key and
 * name may be followed by a quote. */
enum { MEMBER_BYTES_MAX = 2 * (ANNALS_NAME_BLOCK_BYTES + 1) };

G_STATIC_ASSERT(MEMBER_BYTES_MAX >= ANNALS_NAME_BLOCK_BYTES + ANNALS_JSON_NUMBER_BYTES_MAX);

void annals_aws_json_append_string(struct annals_buffer *out, const char *text, size_t size) {
  struct annals_json_writer writer;
  annals_buffer_append_byte(out, '"');
  annals_json_writer_init(&writer, out);
  if (annals_json_writer_text(&writer, (const uint8_t *)text, size)) {
    annals_json_writer_end(&writer);
    annals_buffer_append_byte(out, '"');
  }
}

/* --- timestamps --- */

static void put_two_digits(struct annals_json_writer *writer, char before, int value) {
  annals_json_writer_byte(writer, before);
  annals_json_writer_byte(writer, (char)('0' + value / 10));
  annals_json_writer_byte(writer, (char)('0' + value % 10));
}

/* "2018-05-02T17:47:55.580000001Z" */
static bool put_time_text(struct annals_json_writer *writer, int64_t seconds, unsigned nanos) {
  time_t at = (time_t)seconds;
  struct tm tm;
  if (gmtime_r(&at, &tm) == NULL) {
    return false;
  }
  annals_json_writer_byte(writer, '"');
  annals_json_writer_int(writer, tm.tm_year + 1900);
  put_two_digits(writer, '-', tm.tm_mon + 1);
  put_two_digits(writer, '-', tm.tm_mday);
  put_two_digits(writer, 'T', tm.tm_hour);
  put_two_digits(writer, ':', tm.tm_min);
  put_two_digits(writer, ':', tm.tm_sec);
  annals_json_writer_fraction(writer, nanos, 9);
  annals_json_writer_byte(writer, 'Z');
  annals_json_writer_byte(writer, '"');
  return true;
}

/* 1525283875.58: the API page's form, without trailing zeros. */
static bool put_time(struct transcoder *self, int64_t seconds, unsigned nanos) {
  /* Up to here a double's neighbours are less than half a microsecond apart. */
  static const int64_t micros_until = 4294967296;
  if (!self->exact_times || nanos % NANOS_PER_MILLI == 0) {
    annals_json_writer_int(&self->writer, seconds);
    annals_json_writer_fraction(&self->writer, nanos / NANOS_PER_MILLI, 3);
  } else if (nanos % NANOS_PER_MICRO == 0 && seconds < micros_until) {
    annals_json_writer_int(&self->writer, seconds);
    annals_json_writer_fraction(&self->writer, nanos / NANOS_PER_MICRO, 6);
  } else {
    return put_time_text(&self->writer, seconds, nanos);
  }
  return true;
}

static bool put_timestamp(struct transcoder *self, const struct annals_wire_field *wire) {
  enum { SECONDS_TAG = 1 << 3, NANOS_TAG = 2 << 3 };
  struct annals_wire_reader reader = {wire->bytes, wire->bytes + wire->size};
  uint64_t seconds = 0;
  uint64_t nanos = 0;
  while (reader.at < reader.end) {
    const uint8_t tag = *reader.at++;
    if ((tag != SECONDS_TAG && tag != NANOS_TAG) ||
        !annals_wire_take_varint(&reader, tag == SECONDS_TAG ? &seconds : &nanos)) {
      return false;
    }
  }
  return put_time(self, (int64_t)seconds, (unsigned)(nanos % NANOS_PER_SECOND));
}

/* --- members --- */

/* Names have nothing to escape. The quote before them is the key's. */
static bool put_name(struct annals_json_writer *writer, const struct annals_name *name) {
  if (name == NULL) {
    return false;
  }
  ANNALS_JSON_WRITER_BLOCK(writer, name->text, name->size);
  annals_json_writer_byte(writer, '"');
  return true;
}

/* The quote before it is the key's. */
static bool put_string(struct annals_json_writer *writer, const struct annals_wire_field *wire) {
  if (!annals_json_writer_text(writer, wire->bytes, wire->size) ||
      !annals_json_writer_room(writer, 1)) {
    return false;
  }
  annals_json_writer_byte(writer, '"');
  return true;
}

static void put_bool(struct annals_json_writer *writer, bool value) {
  static const char names[2][8] = {"false", "true"};
  ANNALS_JSON_WRITER_BLOCK(writer, names[value], value ? 4 : 5);
}

static bool put_message(struct transcoder *self, const struct annals_message *message,
                        const uint8_t *bytes, size_t size);

/* What stands behind the key; there is room unless it is a string or a message. */
static bool put_value(struct transcoder *self, const struct annals_field *field,
                      const struct annals_wire_field *wire) {
  switch (field->kind) {
    case ANNALS_KIND_INT32:
    case ANNALS_KIND_INT64:
      annals_json_writer_int(&self->writer, (int64_t)wire->varint);
      return true;
    case ANNALS_KIND_BOOL:
      put_bool(&self->writer, wire->varint != 0);
      return true;
    case ANNALS_KIND_ENUM:
      return put_name(&self->writer, annals_names_get(field->names, (int64_t)wire->varint));
    case ANNALS_KIND_STRING:
      return put_string(&self->writer, wire);
    case ANNALS_KIND_TIMESTAMP:
      return put_timestamp(self, wire);
    case ANNALS_KIND_MESSAGE:
      return put_message(self, field->message, wire->bytes, wire->size);
    case ANNALS_KIND_STRING_MAP:
      break; /* put_map's */
  }
  return false;
}

/* `"key":"value",`; either may be missing on the wire, and is "" then. */
static bool put_map_entry(struct annals_json_writer *writer,
                          const struct annals_wire_field *entry) {
  struct annals_wire_reader reader = {entry->bytes, entry->bytes + entry->size};
  struct annals_wire_field parts[2] = {{.bytes = entry->bytes}, {.bytes = entry->bytes}};
  struct annals_wire_field part;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &part)) == ANNALS_WIRE_FIELD) {
    parts[part.number == 2] = part;
  }
  if (result != ANNALS_WIRE_END || !annals_json_writer_room(writer, 1)) {
    return false;
  }
  annals_json_writer_byte(writer, '"');
  if (!put_string(writer, &parts[0]) || !annals_json_writer_room(writer, 2)) {
    return false;
  }
  annals_json_writer_byte(writer, ':');
  annals_json_writer_byte(writer, '"');
  if (!put_string(writer, &parts[1]) || !annals_json_writer_room(writer, 1)) {
    return false;
  }
  annals_json_writer_byte(writer, ',');
  return true;
}

/* Takes the next field if it is an entry of the same map. */
static bool take_entry(struct annals_wire_reader *reader, uint32_t number,
                       struct annals_wire_field *ret_entry) {
  struct annals_wire_reader ahead = *reader;
  struct annals_wire_field next;
  if (annals_wire_next(&ahead, &next) != ANNALS_WIRE_FIELD || next.number != number ||
      next.type != ANNALS_WIRE_BYTES) {
    return false;
  }
  *reader = ahead;
  *ret_entry = next;
  return true;
}

/* Entries of a map stand side by side in canonical bytes: takes all that follow the first. */
static bool put_map(struct transcoder *self, struct annals_wire_reader *reader,
                    const struct annals_wire_field *first) {
  struct annals_wire_field entry = *first;
  annals_json_writer_byte(&self->writer, '{');
  do {
    if (!put_map_entry(&self->writer, &entry)) {
      return false;
    }
  } while (take_entry(reader, first->number, &entry));
  self->writer.at[-1] = '}'; /* in place of the last comma */
  return true;
}

static inline bool put_key(struct transcoder *self, const struct annals_field *field) {
  if (!annals_json_writer_room(&self->writer, MEMBER_BYTES_MAX)) {
    return false;
  }
  ANNALS_JSON_WRITER_BLOCK(&self->writer, field->json_key, field->json_key_size);
  return true;
}

/* --- messages --- */

static bool put_some_defaults(struct transcoder *self, const struct annals_message *message,
                              size_t first, size_t end) {
  static const struct annals_wire_field nothing = {.bytes = (const uint8_t *)""};
  for (size_t i = first; i < end; i = message->next_always[i + 1]) {
    if (!put_key(self, &message->fields[i]) || !put_value(self, &message->fields[i], &nothing)) {
      return false;
    }
  }
  return true;
}

/* Writes those of the fields from place first to before place end that are always written: they are
 * not on the wire. */
static inline bool put_defaults(struct transcoder *self, const struct annals_message *message,
                                size_t first, size_t end) {
  const size_t always = message->next_always[first];
  return always >= end || put_some_defaults(self, message, always, end);
}

/* Leaves a field out, of which it is only written that it is empty, if that. */
static bool skip_field(struct transcoder *self, const struct annals_message *message, size_t place,
                       struct annals_wire_reader *reader) {
  const struct annals_field *field = &message->fields[place];
  struct annals_wire_field entry;
  while (field->kind == ANNALS_KIND_STRING_MAP && take_entry(reader, field->number, &entry)) {
  }
  return put_defaults(self, message, place, place + 1);
}

/* Takes the next field, which is of no place before next. annals_wire_next does not know what to
 * expect, and takes twice as long. */
static inline bool take_field(struct annals_wire_reader *reader,
                              const struct annals_message *message, size_t next, size_t *ret_place,
                              struct annals_wire_field *ret_wire) {
  uint64_t tag;
  uint64_t value;
  if (!annals_wire_take_varint(reader, &tag) || tag >> 3 >= ANNALS_SCHEMA_NUMBERS) {
    return false;
  }
  const size_t place = annals_message_place(message, (uint32_t)(tag >> 3));
  if (place < next || place >= message->field_count || /* out of order, or unknown */
      (tag & 7) != message->fields[place].wire_type || !annals_wire_take_varint(reader, &value)) {
    return false;
  }
  *ret_place = place;
  ret_wire->varint = value;
  if ((tag & 7) == ANNALS_WIRE_BYTES) {
    ret_wire->number = (uint32_t)(tag >> 3);
    return annals_wire_take_bytes(reader, value, ret_wire);
  }
  return true;
}

static inline bool put_field(struct transcoder *self, const struct annals_message *message,
                             size_t place, const struct annals_wire_field *wire,
                             struct annals_wire_reader *reader) {
  const struct annals_field *field = &message->fields[place];
  if (field->data && !self->include_data) {
    return skip_field(self, message, place, reader);
  }
  return put_key(self, field) &&
         (field->kind == ANNALS_KIND_STRING_MAP ? put_map(self, reader, wire)
                                                : put_value(self, field, wire));
}

/*
 * Wire bytes and table go by the same numbers: between two fields on the wire, the table tells
 * which ones are written all the same. Each member brings its comma; the first one's becomes the
 * brace.
 */
static bool put_message(struct transcoder *self, const struct annals_message *message,
                        const uint8_t *bytes, size_t size) {
  struct annals_json_writer *writer = &self->writer;
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  const size_t start = annals_json_writer_size(writer);
  size_t next = 0; /* the first place that has not been dealt with */
  while (reader.at < reader.end) {
    size_t place;
    if (!take_field(&reader, message, next, &place, &wire) ||
        !put_defaults(self, message, next, place) ||
        !put_field(self, message, place, &wire, &reader)) {
      return false;
    }
    next = place + 1;
  }
  if (!put_defaults(self, message, next, message->field_count) ||
      !annals_json_writer_room(writer, 2)) {
    return false;
  }
  if (annals_json_writer_size(writer) == start) {
    annals_json_writer_byte(writer, '{');
  }
  writer->out->data[start] = '{';
  annals_json_writer_byte(writer, '}');
  return true;
}

static bool transcode(struct transcoder *self, const struct annals_message *message,
                      const uint8_t *bytes, size_t size, struct annals_buffer *out) {
  annals_json_writer_init(&self->writer, out);
  bool ok = put_message(self, message, bytes, size);
  annals_json_writer_end(&self->writer);
  return ok;
}

bool annals_aws_json_append_event(const struct annals_schema *schema, const uint8_t *event,
                                  size_t size, bool include_data, struct annals_buffer *out) {
  struct transcoder self = {.include_data = include_data};
  return transcode(&self, annals_schema_event(schema), event, size, out);
}

bool annals_aws_json_append_exact_event(const struct annals_schema *schema, const uint8_t *event,
                                        size_t size, struct annals_buffer *out) {
  struct transcoder self = {.include_data = true, .exact_times = true};
  return transcode(&self, annals_schema_event(schema), event, size, out);
}

bool annals_aws_json_append_message(const struct annals_message *message, const uint8_t *bytes,
                                    size_t size, struct annals_buffer *out) {
  struct transcoder self = {.include_data = true};
  return transcode(&self, message, bytes, size, out);
}
