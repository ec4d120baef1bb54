#include "proto/execution_data.h"
#include "proto/wire.h"
#include "server/history/watch.h"
#include "server/rpc/heartbeat.h"
#include "server/rpc/methods.h"
#include "server/rpc/request.h"
#include "server/rpc/server_internal.h"

/*
 *               events               on_sent
 *   ADVANCE ──────────────► SENDING ─────────┐
 *     ▲ │ │ read pending                     │
 *     │ │ └───────────────► READING ──┐      │
 *     │ │ nothing new                 │ ready│
 *     │ └─────────────────► WAITING ──┤      │
 *     │                       ⇅ beat  │      │
 *     └───────────────────────────────┴──────┘
 */
enum { FIELD_EVENTS = 1 };

struct state {
  struct annals_rpc_watch_request request;
  struct annals_watch watch;
  struct annals_rpc_beat beat;
  gint ready; /* atomic: what the watch has waited for is there */
  bool pending;
  bool waiting; /* for an append, not for a read */
};

static struct annals_rpc_heartbeat *heartbeat_of(const struct annals_rpc_call *call) {
  return annals_rpc_server_heartbeat(call->server);
}

/* A frame is the field `events` of the response as it stands. */
static bool encode_whole(struct annals_watch *watch, const struct annals_frame *frame) {
  annals_buffer_append(&watch->events, frame->bytes, frame->size);
  return !watch->events.failed;
}

static bool encode_without_data(struct annals_watch *watch, const struct annals_frame *frame) {
  const struct annals_rpc_call *call = watch->owner;
  size_t start = watch->events.len;
  if (!annals_execution_data_strip(annals_history_options(call->history)->schema, frame->event,
                                   frame->event_size, &watch->events)) {
    return false;
  }
  annals_wire_wrap(&watch->events, start, FIELD_EVENTS);
  return !watch->events.failed;
}

/* --- what wakes a watch --- */

static void on_read(struct annals_watch *watch) {
  struct annals_rpc_call *call = watch->owner;
  struct state *state = call->state;
  g_atomic_int_set(&state->ready, 1);
  annals_rpc_call_done(call);
}

static void on_change(struct annals_watch *watch) {
  struct annals_rpc_call *call = watch->owner;
  struct state *state = call->state;
  g_atomic_int_set(&state->ready, 1);
  annals_rpc_call_wake_for_news(call);
}

/* --- the stream --- */

static void send(struct annals_rpc_call *call) {
  struct annals_watch *watch = &((struct state *)call->state)->watch;
  struct annals_buffer message = watch->events;
  annals_buffer_init(&watch->events, ANNALS_WATCH_BUFFER_BYTES_MAX);
  annals_rpc_call_send(call, &message);
}

static void take(struct annals_rpc_call *call, enum annals_watch_progress progress) {
  struct state *state = call->state;
  state->pending = progress == ANNALS_WATCH_READING || progress == ANNALS_WATCH_WAITING;
  state->waiting = progress == ANNALS_WATCH_WAITING;
  switch (progress) {
    case ANNALS_WATCH_EVENTS:
      annals_series_add(call->meter->events_read, state->watch.event_count);
      send(call);
      break;
    case ANNALS_WATCH_READING:
      call->busy++;
      break;
    case ANNALS_WATCH_WAITING:
      annals_rpc_heartbeat_enter(heartbeat_of(call), &state->beat);
      break;
    case ANNALS_WATCH_DONE:
      if (state->watch.error != NULL) {
        annals_rpc_call_fail(call, state->watch.error);
      } else {
        annals_rpc_call_finish(call);
      }
      break;
  }
}

/* Tells whether the client may still watch; ends the stream if not. */
static bool may_go_on(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (annals_rpc_call_has_current_caller(call)) {
    return true;
  }
  if (annals_rpc_call_check_caller(call, &error) &&
      annals_watch_set_principal(&state->watch, call->caller.principal, &error)) {
    return true;
  }
  annals_rpc_call_fail(call, error);
  return false;
}

/* Goes on with what is due: called whenever anything has happened. */
static void go_on(struct annals_rpc_call *call) {
  struct state *state = call->state;
  if (annals_rpc_call_is_stopping(call) || annals_rpc_call_is_sending(call)) {
    return;
  }
  if (!state->pending || g_atomic_int_compare_and_exchange(&state->ready, 1, 0)) {
    annals_rpc_heartbeat_leave(heartbeat_of(call), &state->beat);
    if (may_go_on(call)) {
      take(call, annals_watch_next(&state->watch));
    }
  } else if (state->waiting && annals_rpc_heartbeat_take(&state->beat)) {
    if (may_go_on(call)) {
      send(call); /* no events */
    }
  } else if (state->waiting) {
    annals_rpc_heartbeat_enter(heartbeat_of(call), &state->beat);
  }
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_watch_request_read(call->request, call->request_bytes, &state->request, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->subject = state->request.execution_arn;
  annals_rpc_call_release_request(call); /* its texts have been copied */
  state->beat.call = call;
  state->watch.owner = call;
  state->watch.on_read = on_read;
  state->watch.on_change = on_change;
  state->watch.cancel = &call->cancel;
  state->watch.encode = state->request.include_execution_data ? encode_whole : encode_without_data;
  state->watch.request = (struct annals_watch_request){
      .principal = call->caller.principal,
      .execution_arn = state->request.execution_arn,
      .from_event_id = state->request.from_event_id,
      .follow_redrives = state->request.follow_redrives,
  };
  take(call, annals_watch_begin(call->history, &state->watch));
}

static void detach(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_rpc_heartbeat_leave(heartbeat_of(call), &state->beat);
  annals_watch_clear(&state->watch);
}

static void release(struct annals_rpc_call *call) {
  annals_rpc_watch_request_clear(&((struct state *)call->state)->request);
}

const struct annals_rpc_method annals_rpc_watch_execution_history = {
    .path = "/annals.v1.HistoryService/WatchExecutionHistory",
    .kind = ANNALS_RPC_SERVER_STREAMING,
    .state_bytes = sizeof(struct state),
    .start = start,
    .resume = go_on,
    .on_sent = go_on,
    .detach = detach,
    .release = release,
};
