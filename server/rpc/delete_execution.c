#include "server/history/delete.h"

#include "server/rpc/methods.h"
#include "server/rpc/request.h"

enum { RESPONSE_BYTES_MAX = 16 };

struct state {
  char *execution_arn;
  struct annals_delete deletion;
};

static void reply(struct annals_rpc_call *call) {
  const struct annals_delete *deletion = &((struct state *)call->state)->deletion;
  if (deletion->error != NULL) {
    annals_rpc_call_fail(call, deletion->error);
    return;
  }
  struct annals_buffer message;
  annals_buffer_init(&message, RESPONSE_BYTES_MAX);
  annals_rpc_call_reply(call, &message);
}

static void on_done(struct annals_delete *deletion) {
  annals_rpc_call_wake(deletion->owner);
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_delete_request_read(call->request, call->request_bytes, &state->execution_arn,
                                      &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->subject = state->execution_arn;
  annals_rpc_call_release_request(call); /* its text has been copied */
  state->deletion.owner = call;
  state->deletion.on_done = on_done;
  state->deletion.cancel = &call->cancel;
  state->deletion.request.principal = call->caller.principal;
  state->deletion.request.execution_arn = state->execution_arn;
  if (annals_delete_run(call->history, &state->deletion) == ANNALS_DONE) {
    reply(call);
  }
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_delete_clear(&state->deletion);
  g_free(state->execution_arn);
}

const struct annals_rpc_method annals_rpc_delete_execution = {
    .path = "/annals.v1.HistoryService/DeleteExecution",
    .state_bytes = sizeof(struct state),
    .start = start,
    .resume = reply,
    .release = release,
};
