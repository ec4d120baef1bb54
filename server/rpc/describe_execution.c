#include "server/history/describe.h"
#include "server/history/execution_message.h"
#include "server/rpc/methods.h"
#include "server/rpc/request.h"

struct state {
  struct annals_rpc_describe_request request;
  struct annals_describe describe;
};

static void reply(struct annals_rpc_call *call) {
  const struct annals_describe *describe = &((struct state *)call->state)->describe;
  if (describe->error != NULL) {
    annals_rpc_call_fail(call, describe->error);
    return;
  }
  struct annals_buffer message;
  annals_buffer_init(&message, ANNALS_EXECUTION_DESCRIPTION_BYTES_MAX);
  annals_execution_append_description(&message, describe);
  annals_execution_append_own(&message, describe);
  annals_rpc_call_reply(call, &message);
  annals_buffer_clear(&message);
}

static void on_done(struct annals_describe *describe) {
  annals_rpc_call_wake(describe->owner);
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_describe_request_read(call->request, call->request_bytes, &state->request,
                                        &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->subject = state->request.execution_arn;
  annals_rpc_call_release_request(call); /* its texts have been copied */
  state->describe.owner = call;
  state->describe.on_done = on_done;
  state->describe.cancel = &call->cancel;
  state->describe.request = (struct annals_describe_request){
      .principal = call->caller.principal,
      .execution_arn = state->request.execution_arn,
      .included_data = state->request.included_data,
  };
  if (annals_describe_run(call->history, &state->describe) == ANNALS_DONE) {
    reply(call);
  }
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_describe_clear(&state->describe);
  annals_rpc_describe_request_clear(&state->request);
}

const struct annals_rpc_method annals_rpc_describe_execution = {
    .path = "/annals.v1.HistoryService/DescribeExecution",
    .state_bytes = sizeof(struct state),
    .start = start,
    .resume = reply,
    .release = release,
};
