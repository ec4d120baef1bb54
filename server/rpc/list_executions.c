#include <string.h>

#include "proto/wire.h"
#include "server/history/execution_message.h"
#include "server/history/list.h"
#include "server/rpc/methods.h"
#include "server/rpc/request.h"

enum { FIELD_EXECUTIONS = 1, FIELD_NEXT_TOKEN = 2 };

struct state {
  struct annals_rpc_list_request request;
  struct annals_list list;
};

static bool encode(struct annals_list *list, const char *execution_arn,
                   const struct annals_execution *execution) {
  size_t start = list->executions.len;
  annals_execution_append_item(&list->executions, execution_arn, execution);
  annals_wire_wrap(&list->executions, start, FIELD_EXECUTIONS);
  return !list->executions.failed;
}

static void reply(struct annals_rpc_call *call) {
  struct annals_list *list = &((struct state *)call->state)->list;
  if (list->error != NULL) {
    annals_rpc_call_fail(call, list->error);
    return;
  }
  if (list->next_token != NULL) {
    annals_wire_append_bytes(&list->executions, FIELD_NEXT_TOKEN, list->next_token,
                             strlen(list->next_token));
  }
  annals_rpc_call_reply(call, &list->executions);
}

static void on_done(struct annals_list *list) {
  annals_rpc_call_wake(list->owner);
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  struct annals_rpc_list_request *request = &state->request;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_list_request_read(call->request, call->request_bytes, request, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->subject =
      request->state_machine_arn != NULL ? request->state_machine_arn : request->map_run_arn;
  annals_rpc_call_release_request(call); /* its texts have been copied */
  state->list.owner = call;
  state->list.on_done = on_done;
  state->list.cancel = &call->cancel;
  state->list.encode = encode;
  state->list.request = (struct annals_list_request){
      .principal = call->caller.principal,
      .state_machine_arn = request->state_machine_arn,
      .map_run_arn = request->map_run_arn,
      .status_filter = request->status_filter,
      .redrive_filter = request->redrive_filter,
      .max_results = request->max_results,
      .next_token = request->next_token,
  };
  if (annals_list_run(call->history, &state->list) == ANNALS_DONE) {
    reply(call);
  }
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_list_clear(&state->list);
  annals_rpc_list_request_clear(&state->request);
}

const struct annals_rpc_method annals_rpc_list_executions = {
    .path = "/annals.v1.HistoryService/ListExecutions",
    .state_bytes = sizeof(struct state),
    .start = start,
    .resume = reply,
    .release = release,
};
