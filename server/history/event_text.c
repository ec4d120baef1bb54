#include "server/history/event_text.h"

#include "proto/wire.h"

/* Finds the text with this name among the fields of the event's details. */
static char *details_text(const struct annals_message *details,
                          const struct annals_wire_field *bytes, const char *json_name) {
  const struct annals_field *wanted = annals_message_field_named(details, json_name);
  struct annals_wire_reader reader = {bytes->bytes, bytes->bytes + bytes->size};
  struct annals_wire_field field;
  while (wanted != NULL && annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD) {
    if (field.number == wanted->number && field.type == ANNALS_WIRE_BYTES) {
      return g_strndup((const char *)field.bytes, field.size);
    }
  }
  return NULL;
}

char *annals_event_text(const struct annals_schema *schema, const uint8_t *event, size_t size,
                        const char *json_name) {
  struct annals_wire_reader reader = {event, event + size};
  struct annals_wire_field field;
  while (annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD) {
    const struct annals_field *known =
        annals_message_field(annals_schema_event(schema), field.number);
    if (known != NULL && known->details && field.type == ANNALS_WIRE_BYTES) {
      return details_text(known->message, &field, json_name);
    }
  }
  return NULL;
}
