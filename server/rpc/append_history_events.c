#include "proto/wire.h"
#include "server/history/append.h"
#include "server/rpc/methods.h"
#include "server/rpc/request.h"

enum { RESPONSE_BYTES_MAX = 64 };

struct state {
  struct annals_rpc_append_request request;
  struct annals_append append;
};

static void append_count(struct annals_buffer *out, uint32_t number, int64_t value) {
  if (value != 0) {
    annals_wire_append_varint(out, number, (uint64_t)value);
  }
}

static void reply(struct annals_rpc_call *call) {
  const struct annals_append *append = &((struct state *)call->state)->append;
  if (append->error != NULL) {
    annals_rpc_call_fail(call, append->error);
    return;
  }
  struct annals_buffer message;
  annals_buffer_init(&message, RESPONSE_BYTES_MAX);
  append_count(&message, 1, append->last_event_id);
  append_count(&message, 2, append->appended_count);
  append_count(&message, 3, append->already_stored_count);
  append_count(&message, 4, append->adjusted_timestamp_count);
  annals_rpc_call_reply(call, &message);
}

static void on_done(struct annals_append *append) {
  annals_rpc_call_wake(append->owner);
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_append_request_read(call->request, call->request_bytes, &state->request,
                                      &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  state->append.owner = call;
  state->append.on_done = on_done;
  state->append.request = (struct annals_append_request){
      .execution_arn = state->request.execution_arn,
      .events = (const struct annals_event_bytes *)state->request.events->data,
      .event_count = state->request.events->len,
      .state_machine_arn = state->request.state_machine_arn,
      .map_run_arn = state->request.map_run_arn,
      .item_count = state->request.item_count,
      .trace_header = state->request.trace_header,
  };
  state->append.cancel = &call->cancel;
  if (annals_append_run(call->history, &state->append) == ANNALS_DONE) {
    reply(call);
  } else {
    /* The events have been copied: up to 8 MiB less while the disk is waited for. */
    annals_rpc_call_release_request(call);
  }
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_append_clear(&state->append);
  annals_rpc_append_request_clear(&state->request);
}

const struct annals_rpc_method annals_rpc_append_history_events = {
    .path = "/annals.v1.HistoryService/AppendHistoryEvents",
    .state_bytes = sizeof(struct state),
    .bulky = true,
    .start = start,
    .resume = reply,
    .release = release,
};
