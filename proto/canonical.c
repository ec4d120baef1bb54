#include "proto/canonical.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

/*
 * What was found of one field of a message. Scalars and strings: the last value wins. Messages:
 * the parts, joined, are the merged message. Maps: all entries, in the order of the wire.
 */
struct slot {
  bool present;
  struct annals_wire_field last;
  struct annals_buffer parts; /* MESSAGE and TIMESTAMP: joined, once there is a second one.
                                 STRING_MAP: struct map_entry, one behind the other */
};

struct map_entry {
  const uint8_t *key;
  size_t key_size;
  const uint8_t *value;
  size_t value_size;
};

/* The place in the event that is being read, for faults. */
struct path {
  const struct path *parent;
  const char *name;
};

struct canonicalizer {
  size_t parts_max; /* of a slot's parts */
  struct annals_buffer *out;
  struct annals_event_fault *fault;
};

static size_t print_path(const struct path *path, char *to, size_t room) {
  size_t n = path->parent != NULL ? print_path(path->parent, to, room) : 0;
  if (path->name == NULL) {
    return n;
  }
  int wrote = snprintf(to + n, room - n, "%s%s", n > 0 ? "." : "", path->name);
  return MIN(n + (size_t)wrote, room - 1);
}

static bool G_GNUC_PRINTF(4, 5) fail(struct canonicalizer *self, const struct path *path,
                                     enum annals_event_fault_kind kind, const char *format, ...) {
  struct annals_event_fault *fault = self->fault;
  va_list args;
  va_start(args, format);
  fault->kind = kind;
  fault->field[0] = '\0';
  print_path(path, fault->field, sizeof fault->field);
  (void)vsnprintf(fault->text, sizeof fault->text, format, args);
  va_end(args);
  return false;
}

static void slot_clear(struct slot *slot) {
  annals_buffer_clear(&slot->parts);
  slot->present = false;
}

static void slots_clear(struct slot *slots, size_t count) {
  for (size_t i = 0; i < count; i++) {
    slot_clear(&slots[i]);
  }
}

/* A sub-message in several parts: protobuf merges them, and joining their bytes is merging. */
static void slot_join(struct slot *slot, const struct annals_wire_field *part) {
  if (slot->parts.len == 0) {
    annals_buffer_append(&slot->parts, slot->last.bytes, slot->last.size);
  }
  annals_buffer_append(&slot->parts, part->bytes, part->size);
  slot->last.bytes = slot->parts.data;
  slot->last.size = slot->parts.len;
}

static bool check_text(struct canonicalizer *self, const struct path *path, const uint8_t *bytes,
                       size_t size) {
  if (g_utf8_validate_len((const char *)bytes, size, NULL)) {
    return true;
  }
  bool nul = memchr(bytes, '\0', size) != NULL;
  return fail(self, path, ANNALS_FAULT_INVALID,
              nul ? "holds a NUL character" : "is not valid UTF-8");
}

/* Reads one entry; a missing key or value is "". */
static bool read_map_entry(struct canonicalizer *self, const struct path *path,
                           const struct annals_wire_field *field, struct map_entry *ret_entry) {
  struct annals_wire_reader reader = {field->bytes, field->bytes + field->size};
  struct map_entry entry = {.key = field->bytes, .value = field->bytes};
  struct annals_wire_field part;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &part)) == ANNALS_WIRE_FIELD) {
    if ((part.number != 1 && part.number != 2) || part.type != ANNALS_WIRE_BYTES) {
      return fail(self, path, ANNALS_FAULT_INVALID, "has an unknown field %u in an entry",
                  part.number);
    }
    if (part.number == 1) {
      entry.key = part.bytes;
      entry.key_size = part.size;
    } else {
      entry.value = part.bytes;
      entry.value_size = part.size;
    }
  }
  if (result == ANNALS_WIRE_MALFORMED) {
    return fail(self, path, ANNALS_FAULT_INVALID, "is not valid protobuf");
  }
  *ret_entry = entry;
  return check_text(self, path, entry.key, entry.key_size) &&
         check_text(self, path, entry.value, entry.value_size);
}

static bool slot_take(struct canonicalizer *self, const struct path *path,
                      const struct annals_field *field, const struct annals_wire_field *wire,
                      struct slot *slot) {
  if (!slot->present) {
    annals_buffer_init(&slot->parts, self->parts_max);
  }
  if (field->kind == ANNALS_KIND_STRING_MAP) {
    struct map_entry entry;
    if (!read_map_entry(self, path, wire, &entry)) {
      return false;
    }
    annals_buffer_append(&slot->parts, &entry, sizeof entry);
  } else if (slot->present && field->message != NULL) {
    slot_join(slot, wire);
  } else {
    slot->last = *wire;
  }
  slot->present = true;
  return !slot->parts.failed || fail(self, path, ANNALS_FAULT_RESOURCES, "does not fit");
}

/* Sorts the message's fields into slots. A member of the oneof clears another one set before. */
static bool read_message(struct canonicalizer *self, const struct path *path,
                         const struct annals_message *message, const uint8_t *bytes, size_t size,
                         struct slot *slots) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  struct slot *details = NULL;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &wire)) == ANNALS_WIRE_FIELD) {
    const struct annals_field *field = annals_message_field(message, wire.number);
    if (field == NULL) {
      return fail(self, path, ANNALS_FAULT_INVALID, "has an unknown field %u", wire.number);
    }
    struct path here = {path, field->name};
    if (wire.type != field->wire_type) {
      return fail(self, &here, ANNALS_FAULT_INVALID, "has the wrong wire type %u",
                  (unsigned)wire.type);
    }
    struct slot *slot = &slots[field - message->fields];
    if (field->details) {
      if (details != NULL && details != slot) {
        slot_clear(details);
      }
      details = slot;
    }
    if (!slot_take(self, &here, field, &wire, slot)) {
      return false;
    }
  }
  return result == ANNALS_WIRE_END ||
         fail(self, path, ANNALS_FAULT_INVALID, "is not valid protobuf");
}

static bool write_int(struct canonicalizer *self, const struct path *path,
                      const struct annals_field *field, uint64_t value) {
  if (field->kind == ANNALS_KIND_BOOL) {
    value = value != 0;
  } else if (field->kind != ANNALS_KIND_INT64) {
    value = (uint64_t)(int64_t)(int32_t)value;
  }
  if (field->natural && (int64_t)value < 0) {
    return fail(self, path, ANNALS_FAULT_INVALID, "is negative");
  }
  if (value != 0) {
    annals_wire_append_varint(self->out, field->number, value);
  }
  return true;
}

static bool write_string(struct canonicalizer *self, const struct path *path,
                         const struct annals_field *field, const struct annals_wire_field *wire) {
  if (field->bytes_max != 0 && wire->size > field->bytes_max) {
    self->fault->limit = field->bytes_max;
    return fail(self, path, ANNALS_FAULT_LIMIT, "is %zu bytes long; at most %zu are allowed",
                wire->size, field->bytes_max);
  }
  if (!check_text(self, path, wire->bytes, wire->size)) {
    return false;
  }
  if (wire->size > 0) {
    annals_wire_append_bytes(self->out, field->number, wire->bytes, wire->size);
  }
  return true;
}

static int compare_keys(const struct map_entry *a, const struct map_entry *b) {
  int order = memcmp(a->key, b->key, MIN(a->key_size, b->key_size));
  return order != 0 ? order : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

/* By key; equal keys in the order of the wire: entries are views into one message. */
static int compare_entries(const void *left, const void *right) {
  const struct map_entry *a = left;
  const struct map_entry *b = right;
  int order = compare_keys(a, b);
  return order != 0 ? order : (a->key > b->key) - (a->key < b->key);
}

static void write_map_entry(struct annals_buffer *out, uint32_t number,
                            const struct map_entry *entry) {
  size_t start = out->len;
  if (entry->key_size > 0) {
    annals_wire_append_bytes(out, 1, entry->key, entry->key_size);
  }
  if (entry->value_size > 0) {
    annals_wire_append_bytes(out, 2, entry->value, entry->value_size);
  }
  annals_wire_wrap(out, start, number);
}

static bool write_map(struct canonicalizer *self, const struct path *path,
                      const struct annals_field *field, const struct annals_buffer *parts) {
  size_t total = 0;
  struct map_entry *entries = (struct map_entry *)parts->data;
  size_t count = parts->len / sizeof *entries;
  qsort(entries, count, sizeof *entries, compare_entries);
  for (size_t i = 0; i < count; i++) {
    const struct map_entry *entry = &entries[i];
    if (i + 1 < count && compare_keys(entry, entry + 1) == 0) {
      continue; /* the last of equal keys wins */
    }
    total += entry->key_size + entry->value_size;
    write_map_entry(self->out, field->number, entry);
  }
  if (field->bytes_max != 0 && total > field->bytes_max) {
    self->fault->limit = field->bytes_max;
    return fail(self, path, ANNALS_FAULT_LIMIT, "is %zu bytes long; at most %zu are allowed", total,
                field->bytes_max);
  }
  return true;
}

static bool write_message(struct canonicalizer *self, const struct path *path,
                          const struct annals_message *message, const uint8_t *bytes, size_t size);

static bool write_slot(struct canonicalizer *self, const struct path *path,
                       const struct annals_field *field, const struct slot *slot) {
  switch (field->kind) {
    case ANNALS_KIND_STRING:
      return write_string(self, path, field, &slot->last);
    case ANNALS_KIND_STRING_MAP:
      return write_map(self, path, field, &slot->parts);
    case ANNALS_KIND_MESSAGE:
    case ANNALS_KIND_TIMESTAMP: {
      size_t start = self->out->len;
      if (!write_message(self, path, field->message, slot->last.bytes, slot->last.size)) {
        return false;
      }
      annals_wire_wrap(self->out, start, field->number);
      return true;
    }
    default:
      return write_int(self, path, field, slot->last.varint);
  }
}

/* Depth is that of the .proto, not of the bytes: no message of an event holds itself. */
static bool write_message(struct canonicalizer *self, const struct path *path,
                          const struct annals_message *message, const uint8_t *bytes, size_t size) {
  struct slot slots[ANNALS_SCHEMA_FIELDS];
  memset(slots, 0, message->field_count * sizeof *slots);
  bool ok = read_message(self, path, message, bytes, size, slots);
  for (size_t i = 0; ok && i < message->field_count; i++) {
    if (slots[i].present) {
      struct path here = {path, message->fields[i].name};
      ok = write_slot(self, &here, &message->fields[i], &slots[i]);
    }
  }
  slots_clear(slots, message->field_count);
  return ok;
}

bool annals_canonical_append(const struct annals_schema *schema, const uint8_t *event, size_t size,
                             struct annals_buffer *out, struct annals_event_head *ret_head,
                             struct annals_event_fault *ret_fault) {
  /* Two bytes are the shortest entry. */
  size_t parts_max = size / 2 * sizeof(struct map_entry) + size;
  struct canonicalizer self = {.parts_max = parts_max, .out = out, .fault = ret_fault};
  struct path root = {NULL, NULL};
  size_t start = out->len;
  *ret_fault = (struct annals_event_fault){0};
  if (annals_buffer_reserve(out, size) == NULL) {
    return fail(&self, &root, ANNALS_FAULT_RESOURCES, "does not fit");
  }
  /* Adding 0 to NULL is undefined in C. */
  const uint8_t *bytes = size > 0 ? event : (const uint8_t *)"";
  if (!write_message(&self, &root, annals_schema_event(schema), bytes, size)) {
    return false;
  }
  if (out->failed) {
    return fail(&self, &root, ANNALS_FAULT_RESOURCES, "does not fit");
  }
  bool canonical = annals_canonical_head(schema, out->data + start, out->len - start, ret_head);
  g_assert(canonical);
  return true;
}

static bool read_timestamp(const struct annals_wire_field *field, struct annals_event_head *head) {
  struct annals_wire_reader reader = {field->bytes, field->bytes + field->size};
  struct annals_wire_field part;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &part)) == ANNALS_WIRE_FIELD) {
    if (part.number == 1) {
      head->seconds = (int64_t)part.varint;
    } else {
      head->nanos = (int32_t)part.varint;
    }
  }
  head->has_timestamp = true;
  return result == ANNALS_WIRE_END;
}

static bool head_take(const struct annals_field *field, const struct annals_wire_field *wire,
                      struct annals_event_head *head) {
  if (field->kind == ANNALS_KIND_TIMESTAMP) {
    return read_timestamp(wire, head);
  }
  if (field->kind == ANNALS_KIND_ENUM) {
    head->type = (int64_t)wire->varint;
  } else if (field->details) {
    head->details = field->number;
  } else if (field->number == 3) {
    head->id = (int64_t)wire->varint;
  } else {
    head->previous_event_id = (int64_t)wire->varint;
  }
  return true;
}

bool annals_canonical_head(const struct annals_schema *schema, const uint8_t *event, size_t size,
                           struct annals_event_head *ret_head) {
  struct annals_wire_reader reader = {event, event + size};
  struct annals_event_head head = {0};
  struct annals_wire_field wire;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &wire)) == ANNALS_WIRE_FIELD) {
    const struct annals_field *field =
        annals_message_field(annals_schema_event(schema), wire.number);
    if (field == NULL || !head_take(field, &wire, &head)) {
      return false;
    }
    if (field->kind == ANNALS_KIND_TIMESTAMP) {
      head.timestamp_size = (size_t)(reader.at - event);
    }
  }
  *ret_head = head;
  return result == ANNALS_WIRE_END;
}

void annals_canonical_append_timestamp(struct annals_buffer *out, int64_t seconds, int32_t nanos) {
  size_t start = out->len;
  if (seconds != 0) {
    annals_wire_append_varint(out, 1, (uint64_t)seconds);
  }
  if (nanos != 0) {
    annals_wire_append_varint(out, 2, (uint64_t)(int64_t)nanos);
  }
  annals_wire_wrap(out, start, 1);
}
