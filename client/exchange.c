#include "client/exchange.h"

#include "client/error.h"
#include "proto/wire.h"

enum { ITEMS = 1, NEXT_TOKEN = 2 };

bool annals_client_pack(const ProtobufCMessage *message, struct annals_buffer *ret_bytes,
                        GError **error) {
  struct annals_buffer bytes;
  annals_buffer_init(&bytes, ANNALS_CLIENT_REQUEST_BYTES_MAX);
  uint8_t *to = annals_buffer_reserve(&bytes, protobuf_c_message_get_packed_size(message));
  if (to == NULL) {
    annals_client_error_set(error, ANNALS_CLIENT_INVALID_ARGUMENT, "INVALID_REQUEST",
                            "the request is over %d bytes", (int)ANNALS_CLIENT_REQUEST_BYTES_MAX);
    return false;
  }
  bytes.len += protobuf_c_message_pack(message, to);
  *ret_bytes = bytes;
  return true;
}

bool annals_client_exchange(struct annals_client *client, const struct annals_client_method *method,
                            const ProtobufCMessage *request, struct annals_buffer *response,
                            GError **error) {
  struct annals_buffer bytes;
  return annals_client_pack(request, &bytes, error) &&
         annals_client_call(client, method, &bytes, response, error);
}

char *annals_client_text(const char *text) {
  return (char *)(text != NULL ? text : "");
}

void annals_client_items_init(struct annals_client_items *items) {
  annals_buffer_init(&items->bytes, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  items->views = g_array_new(FALSE, FALSE, sizeof(struct annals_client_bytes));
  items->next_token = g_strdup("");
}

void annals_client_items_clear(struct annals_client_items *items) {
  for (size_t i = 0; items->unpacked != NULL && i < items->views->len; i++) {
    protobuf_c_message_free_unpacked(items->unpacked[i], NULL);
  }
  g_free(items->unpacked);
  g_array_unref(items->views);
  g_free(items->next_token);
  annals_buffer_clear(&items->bytes);
}

/* Fields that this client does not know are passed over, as protobuf has it. */
bool annals_client_items_parse(struct annals_client_items *items, const char *name,
                               GError **error) {
  struct annals_wire_reader reader = {items->bytes.data, items->bytes.data};
  if (items->bytes.len > 0) {
    reader.end += items->bytes.len;
  }
  struct annals_wire_field field;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &field)) == ANNALS_WIRE_FIELD) {
    if (field.type != ANNALS_WIRE_BYTES) {
      continue;
    }
    if (field.number == ITEMS) {
      struct annals_client_bytes view = {field.bytes, field.size};
      g_array_append_val(items->views, view);
    } else if (field.number == NEXT_TOKEN) {
      g_free(items->next_token);
      items->next_token = g_strndup((const char *)field.bytes, field.size);
    }
  }
  if (result == ANNALS_WIRE_MALFORMED) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "", "the server's answer is not a %s",
                            name);
    return false;
  }
  return true;
}

struct annals_client_bytes annals_client_items_bytes(const struct annals_client_items *items,
                                                     size_t index) {
  g_assert(index < items->views->len);
  return g_array_index(items->views, struct annals_client_bytes, index);
}

const ProtobufCMessage *annals_client_items_message(struct annals_client_items *items, size_t index,
                                                    const ProtobufCMessageDescriptor *descriptor,
                                                    GError **error) {
  struct annals_client_bytes bytes = annals_client_items_bytes(items, index);
  if (items->unpacked == NULL) {
    items->unpacked = g_new0(ProtobufCMessage *, items->views->len);
  }
  if (items->unpacked[index] == NULL) {
    items->unpacked[index] = protobuf_c_message_unpack(descriptor, NULL, bytes.size, bytes.data);
  }
  if (items->unpacked[index] == NULL) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                            "the server's answer holds something that is no %s",
                            descriptor->short_name);
  }
  return items->unpacked[index];
}
