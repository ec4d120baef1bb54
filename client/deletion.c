#include "client/call.h"
#include "client/exchange.h"

/* Not repeatable: the execution may be there again, as another one. */
static const struct annals_client_method method = {
    .path = "/annals.v1.HistoryService/DeleteExecution",
};

bool annals_client_delete(struct annals_client *client, const char *execution_arn, GError **error) {
  Annals__V1__DeleteExecutionRequest message = ANNALS__V1__DELETE_EXECUTION_REQUEST__INIT;
  message.execution_arn = annals_client_text(execution_arn);
  struct annals_buffer response;
  annals_buffer_init(&response, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  bool ok = annals_client_exchange(client, &method, &message.base, &response, error);
  annals_buffer_clear(&response);
  return ok;
}
