#include <string.h>

#include "client/annals_health.h"
#include "client/call.h"
#include "client/error.h"
#include "proto/wire.h"

/* grpc.health.v1: HealthCheckRequest, HealthCheckResponse and its ServingStatus. */
enum { REQUEST_SERVICE = 1, RESPONSE_STATUS = 1, STATUS_SERVING = 1 };

static const struct annals_client_method method = {.path = "/grpc.health.v1.Health/Check"};

static bool read_status(const struct annals_buffer *response, bool *ret_serving, GError **error) {
  struct annals_wire_reader reader = {response->data, response->data + response->len};
  struct annals_wire_field field;
  enum annals_wire_result result;
  uint64_t status = 0;
  while ((result = annals_wire_next(&reader, &field)) == ANNALS_WIRE_FIELD) {
    if (field.number == RESPONSE_STATUS && field.type == ANNALS_WIRE_VARINT) {
      status = field.varint;
    }
  }
  if (result == ANNALS_WIRE_MALFORMED) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                            "the server's answer is not a HealthCheckResponse");
    return false;
  }
  *ret_serving = status == STATUS_SERVING;
  return true;
}

bool annals_client_is_serving(struct annals_client *client, const char *service, bool *ret_serving,
                              GError **error) {
  struct annals_buffer request;
  struct annals_buffer response;
  annals_buffer_init(&request, ANNALS_CLIENT_REQUEST_BYTES_MAX);
  annals_buffer_init(&response, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  if (service != NULL && *service != '\0') {
    annals_wire_append_bytes(&request, REQUEST_SERVICE, service, strlen(service));
  }
  bool ok = annals_client_call(client, &method, &request, &response, error) &&
            read_status(&response, ret_serving, error);
  annals_buffer_clear(&response);
  return ok;
}
