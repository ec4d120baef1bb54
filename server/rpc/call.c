#include "server/rpc/call.h"

#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include "server/history/error.h"
#include "server/ops/log.h"
#include "server/rpc/call_internal.h"
#include "server/rpc/meter.h"
#include "server/rpc/report.h"
#include "server/rpc/server_internal.h"
#include "server/rpc/wakes.h"

enum { PATH_BYTES_MAX = 200 }; /* of one that is not served, in the answer */

static void on_accept(struct annals_rpc_tag *tag, bool ok);
static void on_close(struct annals_rpc_tag *tag, bool ok);
static void on_receive(struct annals_rpc_tag *tag, bool ok);
static void on_wake(struct annals_rpc_tag *tag, bool ok);
static void on_remind(struct annals_rpc_tag *tag, bool ok);
static void on_open(struct annals_rpc_tag *tag, bool ok);
static void on_end(struct annals_rpc_tag *tag, bool ok);

bool annals_rpc_call_is_stream(const struct annals_rpc_call *call) {
  return call->method != NULL && call->method->kind != ANNALS_RPC_UNARY;
}

/* --- life --- */

void annals_rpc_call_release_state(struct annals_rpc_call *call) {
  if (call->state != NULL && call->method->release != NULL) {
    call->method->release(call);
  }
  g_clear_pointer(&call->state, g_free);
  call->subject = NULL; /* it was the state's */
}

static void call_free(struct annals_rpc_call *call) {
  annals_rpc_call_release_state(call);
  grpc_slice_unref(call->request_slice);
  if (call->payload != NULL) {
    grpc_byte_buffer_destroy(call->payload);
  }
  if (call->message != NULL) {
    grpc_byte_buffer_destroy(call->message);
  }
  grpc_metadata_array_destroy(&call->metadata);
  grpc_call_details_destroy(&call->details);
  g_clear_error(&call->end_error);
  annals_rpc_caller_clear(&call->caller);
  gpr_free(call->request_id);
  grpc_slice_unref(call->trace_metadata.value);
  if (call->core != NULL) {
    annals_series_add(call->meter->under_way, -1);
    grpc_call_unref(call->core);
  }
  annals_rpc_server_release(call->server, call->held_bytes);
  annals_rpc_admission_give(call, call->admitted.bytes);
  annals_rpc_server_call_ended(call->server, call);
  g_free(call);
}

void annals_rpc_call_unref(struct annals_rpc_call *call) {
  if (g_atomic_int_dec_and_test(&call->refs)) {
    call_free(call);
  }
}

/* The core refuses no batch that is right; one that it has refused never brings its tag, and leaves
 * the call in a state of its own. */
bool annals_rpc_call_start_batch(struct annals_rpc_call *call, const grpc_op *ops, size_t count,
                                 struct annals_rpc_tag *tag) {
  g_atomic_int_inc(&call->refs);
  grpc_call_error error = grpc_call_start_batch(call->core, ops, count, tag, NULL);
  if (error == GRPC_CALL_OK) {
    return true;
  }
  annals_log_error("the core refused a batch",
                   ANNALS_LOG_TEXT("error", grpc_call_error_to_string(error)));
  grpc_call_cancel_with_status(call->core, GRPC_STATUS_INTERNAL, "internal error", NULL);
  annals_cancel_now(&call->cancel);
  annals_rpc_call_unref(call);
  return false;
}

bool annals_rpc_method_has_payload(const struct annals_rpc_method *method) {
  return !method->bulky && method->kind != ANNALS_RPC_BIDI_STREAMING;
}

void annals_rpc_call_arm(struct annals_rpc_server *server, const struct annals_rpc_method *method,
                         void *registered, struct annals_rpc_queue queue) {
  struct annals_rpc_call *call = g_new0(struct annals_rpc_call, 1);
  call->server = server;
  call->method = method;
  call->meter = annals_rpc_meters_of(annals_rpc_server_meters(server), method);
  call->registered = registered;
  call->queue = queue.core;
  call->wakes = queue.wakes;
  call->history = annals_rpc_server_history(server);
  call->accept_tag.on = on_accept;
  call->close_tag.on = on_close;
  call->open_tag.on = on_open;
  call->receive_tag.on = on_receive;
  call->send_tag.on = annals_rpc_stream_on_sent;
  call->wake_tag.on = on_wake;
  call->remind_tag.on = on_remind;
  call->end_tag.on = on_end;
  call->link.data = call;
  call->request_slice = grpc_empty_slice();
  grpc_call_details_init(&call->details);
  grpc_metadata_array_init(&call->metadata);
  annals_rpc_server_call_began(server);
  grpc_server *core = annals_rpc_server_core(server);
  grpc_call_error error =
      method != NULL ? grpc_server_request_registered_call(
                           core, registered, &call->core, &call->deadline, &call->metadata,
                           annals_rpc_method_has_payload(method) ? &call->payload : NULL,
                           queue.core, queue.core, &call->accept_tag)
                     : grpc_server_request_call(core, &call->core, &call->details, &call->metadata,
                                                queue.core, queue.core, &call->accept_tag);
  g_assert(error == GRPC_CALL_OK);
}

/* --- the handler's part --- */

/* Tells whether the handler may be called, with the message that has come. */
static bool check_message(struct annals_rpc_call *call, GError **error) {
  if (annals_cancel_is_due(&call->cancel)) {
    g_propagate_error(error, annals_cancel_error(&call->cancel));
    return false;
  }
  return annals_rpc_call_take_message(call, error);
}

static void run(struct annals_rpc_call *call) {
  g_autoptr(GError) error = NULL;
  if (!check_message(call, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->state = g_malloc0(call->method->state_bytes);
  if (!annals_rpc_call_is_stream(call)) {
    call->method->start(call);
    return;
  }
  annals_rpc_stream_enter(call);
  call->method->start(call);
  annals_rpc_stream_open(call);
}

/* Receives the message of a call now, or when there is room for it. */
static void enter_admission(struct annals_rpc_call *call) {
  if (annals_rpc_admission_enter(annals_rpc_server_admission(call->server), call)) {
    annals_rpc_call_start_receive(call);
  }
}

/* --- accept --- */

static void set_deadline(struct annals_rpc_call *call) {
  gpr_timespec deadline = call->method != NULL ? call->deadline : call->details.deadline;
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) != 0) {
    deadline = gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
    call->cancel.deadline_us =
        MAX(deadline.tv_sec * G_USEC_PER_SEC + deadline.tv_nsec / 1000, (int64_t)1);
  }
}

static GError *unknown_method(const struct annals_rpc_call *call) {
  g_autofree char *path =
      g_strndup((const char *)GRPC_SLICE_START_PTR(call->details.method),
                MIN(GRPC_SLICE_LENGTH(call->details.method), (size_t)PATH_BYTES_MAX));
  GError *error = annals_error_new(ANNALS_REASON_UNKNOWN_METHOD, "there is no method %s", path);
  annals_error_add_metadata(error, "method", "%s", path);
  return error;
}

static int64_t now_s(const struct annals_rpc_call *call) {
  return annals_history_now_us(call->history) / G_USEC_PER_SEC;
}

static bool check_caller(struct annals_rpc_call *call, GError **error) {
  struct annals_keyring *keyring = annals_rpc_server_keyring(call->server);
  return keyring == NULL || call->method->anonymous ||
         annals_rpc_caller_identify(keyring, now_s(call), call->core, &call->metadata,
                                    &call->caller, error);
}

bool annals_rpc_call_has_current_caller(const struct annals_rpc_call *call) {
  struct annals_keyring *keyring = annals_rpc_server_keyring(call->server);
  return keyring == NULL || call->method->anonymous ||
         annals_rpc_caller_is_current(&call->caller, keyring, now_s(call));
}

bool annals_rpc_call_check_caller(struct annals_rpc_call *call, GError **error) {
  if (annals_rpc_call_has_current_caller(call)) {
    return true;
  }
  struct annals_rpc_caller before = call->caller;
  call->caller = (struct annals_rpc_caller){0};
  bool ok = check_caller(call, error);
  if (!ok) { /* whose stream it was is what is logged */
    annals_rpc_caller_clear(&call->caller);
    call->caller = before;
    return false;
  }
  annals_rpc_caller_clear(&before);
  return true;
}

/* Tells whether a call is taken up at all. */
static bool check_call(struct annals_rpc_call *call, GError **error) {
  bool standard = call->method != NULL && call->method->standard;
  if (!standard && annals_rpc_server_is_draining(call->server)) {
    return annals_error_set(error, ANNALS_REASON_DRAINING, "the server is stopping");
  }
  if (call->method == NULL) {
    g_propagate_error(error, unknown_method(call));
    return false;
  }
  if (!annals_rpc_server_count_call(call->server, call)) {
    return annals_error_set(error, ANNALS_REASON_OVERLOADED, "too many calls are under way");
  }
  return check_caller(call, error);
}

static void dispatch(struct annals_rpc_call *call) {
  g_autoptr(GError) error = NULL;
  if (!check_call(call, &error)) {
    annals_rpc_call_fail(call, error);
  } else if (call->method->bulky) {
    enter_admission(call);
  } else {
    run(call);
  }
}

static void on_accept(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *call = ANNALS_RPC_CALL_OF(tag, accept_tag);
  if (!ok) {
    call_free(call);
    return;
  }
  if (!annals_rpc_server_is_stopping(call->server)) {
    annals_rpc_call_arm(call->server, call->method, call->registered,
                        (struct annals_rpc_queue){call->queue, call->wakes});
  }
  annals_rpc_server_call_accepted(call->server);
  call->started_us = g_get_monotonic_time();
  annals_series_add(call->meter->under_way, 1);
  call->refs = 2; /* the call's, up to its end, and this function's */
  set_deadline(call);
  annals_rpc_report_begin(call);
  grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
  op.data.recv_close_on_server.cancelled = &call->cancelled;
  annals_rpc_call_start_batch(call, &op, 1, &call->close_tag);
  dispatch(call);
  annals_rpc_stream_settle(call);
  annals_rpc_call_unref(call);
}

/* --- what happens to a call --- */

static void fail_cancelled(struct annals_rpc_call *call) {
  g_autoptr(GError) error = annals_cancel_error(&call->cancel);
  annals_rpc_call_fail(call, error);
}

static void on_close(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *call = ANNALS_RPC_CALL_OF(tag, close_tag);
  (void)ok;
  if (call->cancelled) {
    annals_cancel_now(&call->cancel);
    if (!annals_rpc_call_is_stream(call) &&
        annals_rpc_admission_quit(annals_rpc_server_admission(call->server), call) ==
            ANNALS_RPC_WAITING) {
      fail_cancelled(call);
    }
  }
  annals_rpc_stream_settle(call);
  annals_rpc_call_unref(call);
}

/* Tells admission the size of what has come: what was reserved beyond it is for others. */
static void tell_size(struct annals_rpc_call *call) {
  if (!call->method->standard) {
    size_t size = call->payload != NULL ? grpc_byte_buffer_length(call->payload) : 0;
    annals_rpc_admission_arrive(annals_rpc_server_admission(call->server), call, size);
  }
}

static void take_next(struct annals_rpc_call *call) {
  g_autoptr(GError) error = NULL;
  if (annals_rpc_call_is_stopping(call)) {
    return;
  }
  if (check_message(call, &error)) {
    call->method->on_message(call);
  } else if (call->method->on_refused != NULL &&
             annals_error_reason(error) == ANNALS_REASON_OVERLOADED) {
    call->method->on_refused(call, error);
  } else {
    annals_rpc_call_fail(call, error);
  }
}

static void on_receive(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *call = ANNALS_RPC_CALL_OF(tag, receive_tag);
  (void)ok; /* the message says it */
  tell_size(call);
  if (annals_rpc_call_is_stream(call)) {
    take_next(call);
  } else if (!call->ended) {
    run(call);
  }
  annals_rpc_stream_settle(call);
  annals_rpc_call_unref(call);
}

/* Has the thread of the call's queue look at its wakes. Takes a reference over. */
static void tell(struct annals_rpc_call *call, struct annals_rpc_tag *tag) {
  grpc_call_error error = grpc_call_start_batch(call->core, NULL, 0, tag, NULL);
  g_assert(error == GRPC_CALL_OK);
}

static void wake(struct annals_rpc_call *call, enum annals_rpc_wake_kind kind) {
  if (annals_rpc_wakes_push(call->wakes, kind, call)) {
    tell(call, &call->wake_tag);
  }
}

/* Who finds that another one wakes the call must not touch it any more. */
void annals_rpc_call_wake_as(struct annals_rpc_call *call, unsigned who) {
  if (g_atomic_int_or(&call->woken, who) == 0) {
    wake(call, ANNALS_RPC_WAKE_ANSWER);
  }
}

void annals_rpc_call_wake(struct annals_rpc_call *call) {
  annals_rpc_call_wake_as(call, ANNALS_RPC_WOKEN_BY_METHOD);
}

void annals_rpc_call_wake_for_news(struct annals_rpc_call *call) {
  if (g_atomic_int_or(&call->woken, ANNALS_RPC_WOKEN_BY_METHOD) == 0) {
    wake(call, ANNALS_RPC_WAKE_NEWS);
  }
}

void annals_rpc_call_done(struct annals_rpc_call *call) {
  if (g_atomic_int_add(&call->woken, ANNALS_RPC_WOKEN_BY_DONE) == 0) {
    wake(call, ANNALS_RPC_WAKE_ANSWER);
  }
}

static void resume(struct annals_rpc_call *call, unsigned who) {
  call->busy -= who / ANNALS_RPC_WOKEN_BY_DONE;
  if (!call->ended && (who & ANNALS_RPC_WOKEN_BY_METHOD) + who / ANNALS_RPC_WOKEN_BY_DONE > 0) {
    call->method->resume(call);
  }
}

/* A client that has the others wait for its message, which does not come. */
static void give_up(struct annals_rpc_call *call) {
  bool has_run = call->state != NULL;
  if (!call->ended && !has_run) {
    g_autoptr(GError) error =
        annals_error_new(ANNALS_REASON_OVERLOADED, "the request has not come in time");
    annals_rpc_call_fail(call, error);
  }
}

/* Goes on with a call that has been woken. */
static void rise(struct annals_rpc_call *call) {
  unsigned who = g_atomic_int_and(&call->woken, 0);
  if ((who & ANNALS_RPC_WOKEN_BY_ADMISSION) != 0 && !call->ended) {
    annals_rpc_call_start_receive(call);
  }
  if ((who & ANNALS_RPC_WOKEN_TO_GIVE_UP) != 0) {
    give_up(call);
  }
  resume(call, who);
  if ((who & ANNALS_RPC_WOKEN_BY_SERVER) != 0) {
    annals_rpc_stream_stop(call);
  }
  annals_rpc_stream_settle(call);
  annals_rpc_call_unref(call);
}

/* Sees to some of the calls that have been woken. For what is left the thread tells itself: so that
 * comes behind whatever else the queue has by now. */
static void see_to_wakes(struct annals_rpc_wakes *wakes) {
  static const int at_once[ANNALS_RPC_WAKE_KINDS] = {
      [ANNALS_RPC_WAKE_ANSWER] = 32,
      [ANNALS_RPC_WAKE_NEWS] = 8,
  };
  struct annals_rpc_call *call;
  for (int kind = 0; kind < ANNALS_RPC_WAKE_KINDS; kind++) {
    for (int i = 0; i < at_once[kind] && (call = annals_rpc_wakes_pop(wakes, kind)) != NULL; i++) {
      rise(call);
    }
  }
  call = annals_rpc_wakes_peek(wakes);
  if (call != NULL && !wakes->reminded) {
    wakes->reminded = true;
    g_atomic_int_inc(&call->refs);
    tell(call, &call->remind_tag);
  }
}

static void on_wake(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *teller = ANNALS_RPC_CALL_OF(tag, wake_tag);
  (void)ok;
  see_to_wakes(teller->wakes);
  annals_rpc_call_unref(teller);
}

static void on_remind(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *teller = ANNALS_RPC_CALL_OF(tag, remind_tag);
  (void)ok;
  teller->wakes->reminded = false;
  see_to_wakes(teller->wakes);
  annals_rpc_call_unref(teller);
}

static void on_open(struct annals_rpc_tag *tag, bool ok) {
  (void)ok;
  annals_rpc_call_unref(ANNALS_RPC_CALL_OF(tag, open_tag));
}

static void on_end(struct annals_rpc_tag *tag, bool ok) {
  (void)ok;
  annals_rpc_call_unref(ANNALS_RPC_CALL_OF(tag, end_tag));
}
