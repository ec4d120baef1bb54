#include "proto/execution_data.h"

#include "proto/wire.h"

/* What stays is copied in pieces as large as there are. */
static bool strip_message(const struct annals_message *message, const uint8_t *bytes, size_t size,
                          struct annals_buffer *out) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  enum annals_wire_result result;
  const uint8_t *piece = bytes; /* begins what stays and is not copied yet */
  for (const uint8_t *at = bytes; (result = annals_wire_next(&reader, &wire)) == ANNALS_WIRE_FIELD;
       at = reader.at) {
    const struct annals_field *field = annals_message_field(message, wire.number);
    if (field == NULL) {
      return false;
    }
    if (!field->details && !field->data) {
      continue;
    }
    annals_buffer_append(out, piece, (size_t)(at - piece));
    piece = reader.at;
    if (field->details) {
      size_t start = out->len;
      if (!strip_message(field->message, wire.bytes, wire.size, out)) {
        return false;
      }
      annals_wire_wrap(out, start, wire.number);
    }
  }
  annals_buffer_append(out, piece, (size_t)(reader.end - piece));
  return result == ANNALS_WIRE_END;
}

bool annals_execution_data_strip(const struct annals_schema *schema, const uint8_t *event,
                                 size_t size, struct annals_buffer *out) {
  return strip_message(annals_schema_event(schema), event, size, out) && !out->failed;
}
