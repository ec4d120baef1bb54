#include "client/append_message.h"
#include "client/call.h"

/* What is stored already is recognised by its ids. */
static const struct annals_client_method method = {
    .path = "/annals.v1.HistoryService/AppendHistoryEvents",
    .repeatable = true,
};

bool annals_client_append(struct annals_client *client,
                          const struct annals_client_append_request *request,
                          struct annals_client_append_result *ret_result, GError **error) {
  struct annals_buffer bytes;
  struct annals_buffer response;
  if (!annals_client_append_pack(request, &bytes, error)) {
    return false;
  }
  annals_buffer_init(&response, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  bool ok = annals_client_call(client, &method, &bytes, &response, error) &&
            annals_client_append_unpack(response.data, response.len, ret_result, error);
  annals_buffer_clear(&bytes);
  annals_buffer_clear(&response);
  return ok;
}
