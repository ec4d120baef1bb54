#include "proto/wire.h"
#include "server/history/verify.h"
#include "server/rpc/methods.h"
#include "server/rpc/request.h"

/*
 *              changed                  on_sent
 *   WAITING ─────────────► SENDING ───────────────► WAITING
 *      │ done
 *      └──────► what is left, then the end
 */
enum {
  MESSAGE_BYTES_MAX = 1 << 20,
  MESSAGE_FAULTS_BYTES = 64 << 10, /* a message gets no more faults when it has so many bytes */
};

/* Field numbers of VerifyStoreResponse and what is in it. */
enum { FAULTS = 1, COUNTS, DONE };
enum { FAULT_FILE = 1, FAULT_PART, FAULT_EXECUTION_ARN, FAULT_EVENT_ID, FAULT_TEXT };
enum { COUNT_EXECUTIONS = 1, COUNT_EVENTS, COUNT_BYTES, COUNT_FAULTS, COUNT_UNCHECKED_FILES };

struct state {
  struct annals_verify verify;
  gint changed; /* atomic: there is something to send */
  gint done;    /* atomic: the check has ended */
  bool ended;   /* the last message is on its way */
};

static void append_text(struct annals_buffer *out, uint32_t number, const char *text) {
  if (*text != '\0') {
    size_t start = out->len;
    annals_buffer_append_text(out, text);
    annals_wire_wrap(out, start, number);
  }
}

static void append_number(struct annals_buffer *out, uint32_t number, int64_t value) {
  if (value != 0) {
    annals_wire_append_varint(out, number, (uint64_t)value);
  }
}

static void append_fault(struct annals_buffer *out, const struct annals_verify_fault *fault) {
  size_t start = out->len;
  append_text(out, FAULT_FILE, fault->file);
  append_text(out, FAULT_PART, fault->part);
  append_text(out, FAULT_EXECUTION_ARN, fault->execution_arn);
  append_number(out, FAULT_EVENT_ID, fault->event_id);
  append_text(out, FAULT_TEXT, fault->text);
  annals_wire_wrap(out, start, FAULTS);
}

static void append_counts(struct annals_buffer *out, struct annals_verify *verify) {
  struct annals_store_verify_summary summary;
  annals_verify_get_summary(verify, &summary);
  size_t start = out->len;
  append_number(out, COUNT_EXECUTIONS, summary.executions);
  append_number(out, COUNT_EVENTS, summary.events);
  append_number(out, COUNT_BYTES, summary.bytes);
  append_number(out, COUNT_FAULTS, summary.faults);
  append_number(out, COUNT_UNCHECKED_FILES, summary.unchecked_files);
  annals_wire_wrap(out, start, COUNTS);
}

/* Takes faults into a message. Returns whether all are taken. */
static bool append_faults(struct annals_buffer *out, struct annals_verify *verify) {
  struct annals_verify_fault fault;
  while (out->len < MESSAGE_FAULTS_BYTES) {
    if (!annals_verify_take(verify, &fault)) {
      return true;
    }
    append_fault(out, &fault);
    annals_verify_fault_clear(&fault);
  }
  return false;
}

static void on_change(struct annals_verify *verify) {
  struct annals_rpc_call *call = verify->owner;
  g_atomic_int_set(&((struct state *)call->state)->changed, 1);
  annals_rpc_call_wake(call);
}

static void on_done(struct annals_verify *verify) {
  struct annals_rpc_call *call = verify->owner;
  g_atomic_int_set(&((struct state *)call->state)->done, 1);
  annals_rpc_call_done(call);
}

/* The check has ended, and all that it found is sent. */
static void end(struct annals_rpc_call *call) {
  struct state *state = call->state;
  if (state->verify.error != NULL) {
    annals_rpc_call_fail(call, state->verify.error);
  } else {
    annals_rpc_call_finish(call);
  }
}

static void send(struct annals_rpc_call *call, bool done) {
  struct state *state = call->state;
  struct annals_buffer message;
  annals_buffer_init(&message, MESSAGE_BYTES_MAX);
  bool all = append_faults(&message, &state->verify);
  append_counts(&message, &state->verify);
  state->ended = done && all;
  if (state->ended && state->verify.error == NULL) {
    annals_wire_append_varint(&message, DONE, 1);
  }
  g_atomic_int_set(&state->changed, !all);
  annals_rpc_call_send(call, &message);
}

/* Tells whether the client may still have it checked; ends the stream if not. */
static bool may_go_on(struct annals_rpc_call *call) {
  g_autoptr(GError) error = NULL;
  if (annals_rpc_call_has_current_caller(call) ||
      (annals_rpc_call_check_caller(call, &error) &&
       annals_check_permission(call->caller.principal, ANNALS_ACTION_VERIFY_STORE, "*", &error))) {
    return true;
  }
  annals_rpc_call_fail(call, error);
  annals_verify_stop(&((struct state *)call->state)->verify);
  return false;
}

/* Goes on with what is due: called whenever anything has happened. */
static void go_on(struct annals_rpc_call *call) {
  struct state *state = call->state;
  if (annals_rpc_call_is_stopping(call)) {
    annals_verify_stop(&state->verify);
    return;
  }
  if (annals_rpc_call_is_sending(call) || !may_go_on(call)) {
    return;
  }
  bool done = g_atomic_int_get(&state->done) != 0;
  if (state->ended) {
    end(call);
  } else if (done || g_atomic_int_compare_and_exchange(&state->changed, 1, 0)) {
    send(call, done);
  }
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  struct annals_verify *verify = &state->verify;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_verify_request_read(call->request, call->request_bytes,
                                      &verify->request.bytes_per_second, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  verify->request.principal = call->caller.principal;
  verify->on_change = on_change;
  verify->on_done = on_done;
  verify->owner = call;
  verify->cancel = &call->cancel;
  call->busy++;
  if (annals_verify_run(call->history, verify) == ANNALS_PENDING) {
    return;
  }
  call->busy--;
  if (verify->error != NULL) {
    end(call);
  } else { /* there was so little that it is over before it was pending */
    g_atomic_int_set(&state->done, 1);
    go_on(call);
  }
}

static void release(struct annals_rpc_call *call) {
  annals_verify_clear(&((struct state *)call->state)->verify);
}

const struct annals_rpc_method annals_rpc_verify_store = {
    .path = "/annals.v1.AdminService/VerifyStore",
    .kind = ANNALS_RPC_SERVER_STREAMING,
    .state_bytes = sizeof(struct state),
    .start = start,
    .resume = go_on,
    .on_sent = go_on,
    .release = release,
};
