#include "server/rpc/standard_request.h"

#include <string.h>

#include "proto/wire.h"
#include "server/history/error.h"

static bool invalid(GError **error, const char *text) {
  GError *failure = annals_error_new(ANNALS_REASON_INVALID_REQUEST, "request %s", text);
  annals_error_add_metadata(failure, "field", "request");
  g_propagate_error(error, failure);
  return false;
}

/* Puts a text in place of the one before. */
static bool take_text(const struct annals_wire_field *wire, char **text, GError **error) {
  if (wire->type != ANNALS_WIRE_BYTES || memchr(wire->bytes, '\0', wire->size) != NULL ||
      !g_utf8_validate_len((const char *)wire->bytes, wire->size, NULL)) {
    return invalid(error, "holds a name that is not text");
  }
  g_free(*text);
  *text = g_strndup((const char *)wire->bytes, wire->size);
  return true;
}

/* Takes the one text of a message that matters: field 1. */
static bool read_name(const uint8_t *bytes, size_t size, char **name, GError **error) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &wire)) == ANNALS_WIRE_FIELD) {
    if (wire.number == 1 && !take_text(&wire, name, error)) {
      return false;
    }
  }
  return result == ANNALS_WIRE_END || invalid(error, "is not valid protobuf");
}

bool annals_rpc_health_request_read(const uint8_t *bytes, size_t size, char **ret_service,
                                    GError **error) {
  g_autofree char *service = g_strdup("");
  if (!read_name(bytes, size, &service, error)) {
    return false;
  }
  *ret_service = g_steal_pointer(&service);
  return true;
}

static bool take_question(const struct annals_wire_field *wire,
                          struct annals_rpc_reflection_request *request, GError **error) {
  request->question = (enum annals_rpc_reflection_question)wire->number;
  if (request->question != ANNALS_RPC_REFLECTION_EXTENSION) {
    return take_text(wire, &request->name, error);
  }
  if (wire->type != ANNALS_WIRE_BYTES) {
    return invalid(error, "is not valid protobuf");
  }
  return read_name(wire->bytes, wire->size, &request->name, error);
}

bool annals_rpc_reflection_request_read(const uint8_t *bytes, size_t size,
                                        struct annals_rpc_reflection_request *ret_request,
                                        GError **error) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  enum annals_wire_result result;
  *ret_request = (struct annals_rpc_reflection_request){
      .host = g_strdup(""),
      .name = g_strdup(""),
  };
  while ((result = annals_wire_next(&reader, &wire)) == ANNALS_WIRE_FIELD) {
    bool asks =
        wire.number >= ANNALS_RPC_REFLECTION_FILE && wire.number <= ANNALS_RPC_REFLECTION_SERVICES;
    if ((wire.number == 1 && !take_text(&wire, &ret_request->host, error)) ||
        (asks && !take_question(&wire, ret_request, error))) {
      return false;
    }
  }
  return result == ANNALS_WIRE_END || invalid(error, "is not valid protobuf");
}

void annals_rpc_reflection_request_clear(struct annals_rpc_reflection_request *request) {
  g_free(request->host);
  g_free(request->name);
  *request = (struct annals_rpc_reflection_request){0};
}
