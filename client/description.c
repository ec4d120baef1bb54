#include "client/annals.h"
#include "client/call.h"
#include "client/error.h"
#include "client/exchange.h"

static const struct annals_client_method method = {
    .path = "/annals.v1.HistoryService/DescribeExecution",
    .repeatable = true,
};

struct annals_client_description {
  struct annals_buffer bytes;
  Annals__V1__DescribeExecutionResponse *message;
};

void annals_client_description_free(struct annals_client_description *description) {
  if (description == NULL) {
    return;
  }
  annals__v1__describe_execution_response__free_unpacked(description->message, NULL);
  annals_buffer_clear(&description->bytes);
  g_free(description);
}

static bool unpack(struct annals_client_description *description, GError **error) {
  description->message = annals__v1__describe_execution_response__unpack(
      NULL, description->bytes.len, description->bytes.data);
  if (description->message == NULL) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                            "the server's answer is not a DescribeExecutionResponse");
    return false;
  }
  return true;
}

bool annals_client_describe(struct annals_client *client,
                            const struct annals_client_describe_request *request,
                            struct annals_client_description **ret_description, GError **error) {
  Annals__V1__DescribeExecutionRequest message = ANNALS__V1__DESCRIBE_EXECUTION_REQUEST__INIT;
  message.execution_arn = annals_client_text(request->execution_arn);
  message.included_data = request->metadata_only
                              ? ANNALS__V1__INCLUDED_DATA__INCLUDED_DATA_METADATA_ONLY
                              : ANNALS__V1__INCLUDED_DATA__INCLUDED_DATA_UNSPECIFIED;
  struct annals_client_description *description = g_new0(struct annals_client_description, 1);
  annals_buffer_init(&description->bytes, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  bool ok = annals_client_exchange(client, &method, &message.base, &description->bytes, error) &&
            unpack(description, error);
  if (ok) {
    *ret_description = g_steal_pointer(&description);
  }
  annals_client_description_free(description);
  return ok;
}

const Annals__V1__DescribeExecutionResponse *annals_client_description_message(
    const struct annals_client_description *description) {
  return description->message;
}

struct annals_client_bytes annals_client_description_bytes(
    const struct annals_client_description *description) {
  return (struct annals_client_bytes){description->bytes.data, description->bytes.len};
}
