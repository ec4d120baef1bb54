#include "server/rpc/append_message.h"
#include "server/rpc/methods.h"

static void reply(struct annals_rpc_call *call) {
  const struct annals_append *append = &((struct annals_rpc_append *)call->state)->append;
  if (append->error != NULL) {
    annals_rpc_call_fail(call, append->error);
    return;
  }
  annals_rpc_append_count(append, call);
  struct annals_buffer message;
  annals_buffer_init(&message, ANNALS_RPC_APPEND_RESULT_BYTES_MAX);
  annals_rpc_append_encode(append, &message);
  annals_rpc_call_reply(call, &message);
}

static void on_done(struct annals_append *append) {
  annals_rpc_call_wake(append->owner);
}

static void start(struct annals_rpc_call *call) {
  struct annals_rpc_append *append = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_append_read(call, call->request, call->request_bytes, append, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->subject = append->append.request.execution_arn;
  append->append.owner = call;
  append->append.on_done = on_done;
  if (annals_append_run(call->history, &append->append) == ANNALS_DONE) {
    reply(call);
  } else {
    /* The events have been copied: up to 8 MiB less while the disk is waited for. */
    annals_rpc_call_release_request(call);
  }
}

static void release(struct annals_rpc_call *call) {
  annals_rpc_append_clear(call->state);
}

const struct annals_rpc_method annals_rpc_append_history_events = {
    .path = "/annals.v1.HistoryService/AppendHistoryEvents",
    .state_bytes = sizeof(struct annals_rpc_append),
    .bulky = true,
    .start = start,
    .resume = reply,
    .release = release,
};
