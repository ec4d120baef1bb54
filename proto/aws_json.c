#include "proto/aws_json.h"

#include <string.h>
#include <time.h>

#include "proto/wire.h"

struct json_writer {
  bool include_data;
  bool exact_times;
  struct annals_buffer *out;
};

/* Longest value without an escape: a timestamp of 12 digits with decimals, or an int64. */
enum { NUMBER_CHARS_MAX = 32 };

enum { NANOS_PER_SECOND = 1000000000, NANOS_PER_MILLI = 1000000, NANOS_PER_MICRO = 1000 };

static const char hex_digits[] = "0123456789abcdef";

/* What follows the backslash: 0 for bytes that stand for themselves, 'u' for \u00xx. */
static const char escapes[256] = {
    ['\0'] = 'u',   ['\x01'] = 'u', ['\x02'] = 'u', ['\x03'] = 'u', ['\x04'] = 'u', ['\x05'] = 'u',
    ['\x06'] = 'u', ['\x07'] = 'u', ['\b'] = 'b',   ['\t'] = 't',   ['\n'] = 'n',   ['\x0b'] = 'u',
    ['\f'] = 'f',   ['\r'] = 'r',   ['\x0e'] = 'u', ['\x0f'] = 'u', ['\x10'] = 'u', ['\x11'] = 'u',
    ['\x12'] = 'u', ['\x13'] = 'u', ['\x14'] = 'u', ['\x15'] = 'u', ['\x16'] = 'u', ['\x17'] = 'u',
    ['\x18'] = 'u', ['\x19'] = 'u', ['\x1a'] = 'u', ['\x1b'] = 'u', ['\x1c'] = 'u', ['\x1d'] = 'u',
    ['\x1e'] = 'u', ['\x1f'] = 'u', ['"'] = '"',    ['\\'] = '\\',
};

static void append_escape(struct annals_buffer *out, uint8_t byte) {
  char text[6] = {'\\', escapes[byte], '0', '0', hex_digits[byte >> 4], hex_digits[byte & 15]};
  annals_buffer_append(out, text, escapes[byte] == 'u' ? 6 : 2);
}

/* Eight bytes at once, each of them 0x80 where it has to be escaped and 0 where not. */
static uint64_t find_escapes(uint64_t bytes) {
  const uint64_t ones = 0x0101010101010101;
  const uint64_t highs = 0x8080808080808080;
  uint64_t quote = bytes ^ (ones * '"');
  uint64_t backslash = bytes ^ (ones * '\\');
  /* x - 0x01 borrows into the high bit where x is 0, x - 0x20 where it is a control character. A
   * borrow may mark the next byte too: what is marked is looked at again. */
  uint64_t found = (quote - ones) | (backslash - ones) | (bytes - ones * 0x20);
  return found & ~bytes & highs;
}

/* How many bytes from the start on stand for themselves. */
static size_t plain_prefix(const uint8_t *bytes, size_t size) {
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, bytes + i, sizeof word);
    if (find_escapes(word) != 0) {
      break;
    }
  }
  while (i < size && escapes[bytes[i]] == 0) {
    i++;
  }
  return i;
}

void annals_aws_json_append_string(struct annals_buffer *out, const char *text, size_t size) {
  const uint8_t *bytes = (const uint8_t *)text;
  annals_buffer_append_byte(out, '"');
  while (size > 0) {
    size_t plain = plain_prefix(bytes, size);
    annals_buffer_append(out, bytes, plain);
    bytes += plain;
    size -= plain;
    if (size > 0) {
      append_escape(out, *bytes);
      bytes++;
      size--;
    }
  }
  annals_buffer_append_byte(out, '"');
}

static void append_int(struct annals_buffer *out, int64_t value) {
  char text[NUMBER_CHARS_MAX];
  char *at = text + sizeof text;
  uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (value < 0) {
    *--at = '-';
  }
  annals_buffer_append(out, at, (size_t)(text + sizeof text - at));
}

/* .58 for 580 of 3 digits, nothing for 0. */
static void append_fraction(struct annals_buffer *out, unsigned fraction, size_t digits) {
  char text[] = ".000000000";
  size_t size = digits + 1;
  for (size_t i = digits; i > 0; i--) {
    text[i] = (char)('0' + fraction % 10);
    fraction /= 10;
  }
  while (size > 1 && text[size - 1] == '0') {
    size--;
  }
  if (size > 1) {
    annals_buffer_append(out, text, size);
  }
}

static void append_two_digits(struct annals_buffer *out, char before, int value) {
  const char text[] = {before, (char)('0' + value / 10), (char)('0' + value % 10)};
  annals_buffer_append(out, text, sizeof text);
}

/* "2018-05-02T17:47:55.580000001Z" */
static void append_time_text(struct annals_buffer *out, int64_t seconds, unsigned nanos) {
  time_t at = (time_t)seconds;
  struct tm tm;
  if (gmtime_r(&at, &tm) == NULL) {
    out->failed = true;
    return;
  }
  annals_buffer_append_byte(out, '"');
  append_int(out, tm.tm_year + 1900);
  append_two_digits(out, '-', tm.tm_mon + 1);
  append_two_digits(out, '-', tm.tm_mday);
  append_two_digits(out, 'T', tm.tm_hour);
  append_two_digits(out, ':', tm.tm_min);
  append_two_digits(out, ':', tm.tm_sec);
  append_fraction(out, nanos, 9);
  annals_buffer_append_text(out, "Z\"");
}

/* 1525283875.58: the API page's form, without trailing zeros. */
static void append_time(struct json_writer *writer, int64_t seconds, unsigned nanos) {
  /* Up to here a double's neighbours are less than half a microsecond apart. */
  static const int64_t micros_until = 4294967296;
  if (!writer->exact_times || nanos % NANOS_PER_MILLI == 0) {
    append_int(writer->out, seconds);
    append_fraction(writer->out, nanos / NANOS_PER_MILLI, 3);
  } else if (nanos % NANOS_PER_MICRO == 0 && seconds < micros_until) {
    append_int(writer->out, seconds);
    append_fraction(writer->out, nanos / NANOS_PER_MICRO, 6);
  } else {
    append_time_text(writer->out, seconds, nanos);
  }
}

static bool append_timestamp(struct json_writer *writer, const struct annals_wire_field *wire) {
  struct annals_wire_reader reader = {wire->bytes, wire->bytes + wire->size};
  int64_t seconds = 0;
  int64_t nanos = 0;
  struct annals_wire_field part;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &part)) == ANNALS_WIRE_FIELD) {
    if (part.number == 1) {
      seconds = (int64_t)part.varint;
    } else {
      nanos = (int64_t)part.varint;
    }
  }
  append_time(writer, seconds, (unsigned)(nanos % NANOS_PER_SECOND));
  return result == ANNALS_WIRE_END;
}

/* Names have nothing to escape. */
static bool append_name(struct annals_buffer *out, const struct annals_name *name) {
  if (name == NULL) {
    return false;
  }
  annals_buffer_append_byte(out, '"');
  annals_buffer_append(out, name->text, name->size);
  annals_buffer_append_byte(out, '"');
  return true;
}

static bool append_message(struct json_writer *writer, const struct annals_message *message,
                           const uint8_t *bytes, size_t size);

static bool append_value(struct json_writer *writer, const struct annals_field *field,
                         const struct annals_wire_field *wire) {
  switch (field->kind) {
    case ANNALS_KIND_INT32:
    case ANNALS_KIND_INT64:
      append_int(writer->out, (int64_t)wire->varint);
      return true;
    case ANNALS_KIND_BOOL:
      annals_buffer_append_text(writer->out, wire->varint != 0 ? "true" : "false");
      return true;
    case ANNALS_KIND_ENUM:
      return append_name(writer->out, annals_names_get(field->names, (int64_t)wire->varint));
    case ANNALS_KIND_STRING:
      annals_aws_json_append_string(writer->out, (const char *)wire->bytes, wire->size);
      return true;
    case ANNALS_KIND_TIMESTAMP:
      return append_timestamp(writer, wire);
    case ANNALS_KIND_MESSAGE:
      return append_message(writer, field->message, wire->bytes, wire->size);
    case ANNALS_KIND_STRING_MAP:
      break; /* append_map's */
  }
  return false;
}

/* `"key":"value"`; either may be missing on the wire, and is "" then. */
static bool append_map_entry(struct annals_buffer *out, const struct annals_wire_field *entry) {
  struct annals_wire_reader reader = {entry->bytes, entry->bytes + entry->size};
  struct annals_wire_field parts[2] = {{.bytes = entry->bytes}, {.bytes = entry->bytes}};
  struct annals_wire_field part;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &part)) == ANNALS_WIRE_FIELD) {
    parts[part.number == 2] = part;
  }
  annals_aws_json_append_string(out, (const char *)parts[0].bytes, parts[0].size);
  annals_buffer_append_byte(out, ':');
  annals_aws_json_append_string(out, (const char *)parts[1].bytes, parts[1].size);
  return result == ANNALS_WIRE_END;
}

/* Entries of a map stand side by side in canonical bytes: takes all that follow the first. */
static bool append_map(struct json_writer *writer, struct annals_wire_reader *reader,
                       const struct annals_wire_field *first) {
  struct annals_wire_field entry = *first;
  annals_buffer_append_byte(writer->out, '{');
  for (;;) {
    if (!append_map_entry(writer->out, &entry)) {
      return false;
    }
    struct annals_wire_reader ahead = *reader;
    struct annals_wire_field next;
    if (annals_wire_next(&ahead, &next) != ANNALS_WIRE_FIELD || next.number != first->number) {
      break;
    }
    annals_buffer_append_byte(writer->out, ',');
    *reader = ahead;
    entry = next;
  }
  annals_buffer_append_byte(writer->out, '}');
  return true;
}

/* What a member is worth that is not on the wire. */
static bool append_default(struct json_writer *writer, const struct annals_field *field) {
  static const struct annals_wire_field nothing = {.bytes = (const uint8_t *)""};
  return append_value(writer, field, &nothing);
}

static void append_key(struct json_writer *writer, const struct annals_field *field, bool *first) {
  if (!*first) {
    annals_buffer_append_byte(writer->out, ',');
  }
  *first = false;
  annals_buffer_append(writer->out, field->json_key, field->json_key_size);
}

/*
 * Wire bytes and table go by the same numbers: between two fields on the wire, the table tells
 * which ones are written all the same.
 */
static bool append_message(struct json_writer *writer, const struct annals_message *message,
                           const uint8_t *bytes, size_t size) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  bool first = true;
  size_t i = 0;
  enum annals_wire_result result = annals_wire_next(&reader, &wire);
  annals_buffer_append_byte(writer->out, '{');
  for (; i < message->field_count; i++) {
    const struct annals_field *field = &message->fields[i];
    bool here = result == ANNALS_WIRE_FIELD && wire.number == field->number;
    if (here && (writer->include_data || !field->data)) {
      append_key(writer, field, &first);
      if (!(field->kind == ANNALS_KIND_STRING_MAP ? append_map(writer, &reader, &wire)
                                                  : append_value(writer, field, &wire))) {
        return false;
      }
    } else if (field->always) {
      append_key(writer, field, &first);
      if (!append_default(writer, field)) {
        return false;
      }
    }
    while (result == ANNALS_WIRE_FIELD && wire.number == field->number) {
      result = annals_wire_next(&reader, &wire);
    }
  }
  annals_buffer_append_byte(writer->out, '}');
  return result == ANNALS_WIRE_END;
}

bool annals_aws_json_append_event(const struct annals_schema *schema, const uint8_t *event,
                                  size_t size, bool include_data, struct annals_buffer *out) {
  struct json_writer writer = {.include_data = include_data, .out = out};
  return append_message(&writer, annals_schema_event(schema), event, size) && !out->failed;
}

bool annals_aws_json_append_exact_event(const struct annals_schema *schema, const uint8_t *event,
                                        size_t size, struct annals_buffer *out) {
  struct json_writer writer = {.include_data = true, .exact_times = true, .out = out};
  return append_message(&writer, annals_schema_event(schema), event, size) && !out->failed;
}

bool annals_aws_json_append_message(const struct annals_message *message, const uint8_t *bytes,
                                    size_t size, struct annals_buffer *out) {
  struct json_writer writer = {.include_data = true, .out = out};
  return append_message(&writer, message, bytes, size) && !out->failed;
}
