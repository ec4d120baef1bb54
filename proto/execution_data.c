#include "proto/execution_data.h"

#include "proto/wire.h"

static void append_field(struct annals_buffer *out, const struct annals_wire_field *field) {
  if (field->type == ANNALS_WIRE_VARINT) {
    annals_wire_append_varint(out, field->number, field->varint);
  } else {
    annals_wire_append_bytes(out, field->number, field->bytes, field->size);
  }
}

static bool strip_message(const struct annals_message *message, const uint8_t *bytes, size_t size,
                          struct annals_buffer *out) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &wire)) == ANNALS_WIRE_FIELD) {
    const struct annals_field *field = annals_message_field(message, wire.number);
    if (field == NULL) {
      return false;
    }
    if (field->details) {
      size_t start = out->len;
      if (!strip_message(field->message, wire.bytes, wire.size, out)) {
        return false;
      }
      annals_wire_wrap(out, start, wire.number);
    } else if (!field->data) {
      append_field(out, &wire);
    }
  }
  return result == ANNALS_WIRE_END;
}

bool annals_execution_data_strip(const struct annals_schema *schema, const uint8_t *event,
                                 size_t size, struct annals_buffer *out) {
  return strip_message(annals_schema_event(schema), event, size, out) && !out->failed;
}
