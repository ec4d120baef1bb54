#include <string.h>

#include "proto/wire.h"
#include "server/history/error.h"
#include "server/rpc/append_message.h"
#include "server/rpc/meter.h"
#include "server/rpc/methods.h"
#include "server/rpc/report.h"
#include "server/rpc/rpc_status.h"

/*
 * A request is an item from its message to its answer:
 *
 *   message      its execution is free      the store is done       it is the oldest
 *   ──────► WAITING ─────────────────► RUNNING ────────────► ANSWERED ─────────────► sent
 *              │ it cannot be read                              ▲
 *              └────────────────────────────────────────────────┘
 *
 * One waits at most, with its message; the next is not received before it runs. So flow control
 * holds a client back that sends to one execution faster than the disk takes it, or that does not
 * read its answers.
 */
enum {
  ITEMS_MAX = 64, /* without an answer sent */
  FIELD_APPENDED = 1,
  FIELD_ERROR = 2,
  ANSWER_BYTES_MAX = ANNALS_RPC_DETAILS_BYTES_MAX + ANNALS_RPC_APPEND_RESULT_BYTES_MAX,
};

enum phase { WAITING, RUNNING, ANSWERED };

struct item {
  struct annals_rpc_call *call;
  enum phase phase;
  struct annals_rpc_append append;
  gint ready; /* atomic: the store is done */
  int64_t started_us;
  size_t held_bytes;
  size_t room_bytes; /* of admission */
  struct annals_buffer answer;
};

struct state {
  GQueue items; /* in the order of their messages */
  struct item *waiting;
  bool receiving;
  bool closed;       /* nothing more is taken */
  GError *end_error; /* the stream's, behind the last answer */
};

static void item_free(gpointer data) {
  struct item *item = data;
  annals_rpc_append_clear(&item->append);
  annals_buffer_clear(&item->answer);
  g_free(item);
}

/* Its answer is all that is left of it. */
static void answer(struct item *item, const GError *error) {
  annals_buffer_init(&item->answer, ANSWER_BYTES_MAX);
  annals_rpc_meter_stream_append(item->call, error, item->started_us);
  if (error == NULL) {
    annals_rpc_append_count(&item->append.append, item->call);
    annals_rpc_append_encode(&item->append.append, &item->answer);
    annals_wire_wrap(&item->answer, 0, FIELD_APPENDED);
  } else {
    size_t size;
    g_autofree uint8_t *status =
        annals_rpc_status_details(error, annals_rpc_report_request_id(item->call), &size);
    annals_wire_append_bytes(&item->answer, FIELD_ERROR, status, size);
  }
  annals_rpc_report_append(item->call, item->append.request.execution_arn, error, item->started_us);
  annals_rpc_append_clear(&item->append);
  annals_rpc_call_unhold(item->call, item->held_bytes);
  item->held_bytes = 0;
  annals_rpc_admission_give(item->call, item->room_bytes);
  item->room_bytes = 0;
  item->phase = ANSWERED;
}

/* --- running --- */

static void on_done(struct annals_append *append) {
  struct item *item = append->owner;
  struct annals_rpc_call *call = item->call;
  g_atomic_int_set(&item->ready, 1);
  annals_rpc_call_done(call);
}

static bool is_running(const struct state *state, const char *execution_arn) {
  for (const GList *link = state->items.head; link != NULL; link = link->next) {
    const struct item *item = link->data;
    if (item->phase == RUNNING && strcmp(item->append.request.execution_arn, execution_arn) == 0) {
      return true;
    }
  }
  return false;
}

/* The events are kept in another form until the append is done, and counted as what came. */
static void run(struct item *item) {
  struct annals_rpc_call *call = item->call;
  struct annals_append *append = &item->append.append;
  if (!annals_rpc_call_hold(call, call->request_bytes)) {
    g_autoptr(GError) error =
        annals_error_new(ANNALS_REASON_OVERLOADED, "too much is under way already");
    answer(item, error);
    return;
  }
  item->held_bytes = call->request_bytes;
  item->room_bytes = annals_rpc_admission_keep(call);
  item->phase = RUNNING;
  append->owner = item;
  append->on_done = on_done;
  if (annals_append_run(call->history, append) == ANNALS_DONE) {
    answer(item, append->error);
  } else {
    call->busy++;
  }
}

static void run_waiting(struct annals_rpc_call *call) {
  struct state *state = call->state;
  struct item *item = state->waiting;
  if (item == NULL || annals_rpc_call_is_stopping(call) ||
      is_running(state, item->append.request.execution_arn)) {
    return;
  }
  state->waiting = NULL;
  run(item);
  annals_rpc_call_release_request(call);
}

static void collect(struct state *state) {
  for (GList *link = state->items.head; link != NULL; link = link->next) {
    struct item *item = link->data;
    if (item->phase == RUNNING && g_atomic_int_get(&item->ready) != 0) {
      answer(item, item->append.append.error);
    }
  }
}

/* --- the stream --- */

static bool is_answered(const struct item *item) {
  return item != NULL && item->phase == ANSWERED;
}

static void send_oldest(struct annals_rpc_call *call) {
  struct state *state = call->state;
  struct item *item = g_queue_peek_head(&state->items);
  if (!is_answered(item) || annals_rpc_call_is_sending(call)) {
    return;
  }
  struct annals_buffer message = item->answer;
  item->answer = (struct annals_buffer){0};
  item_free(g_queue_pop_head(&state->items));
  if (is_answered(g_queue_peek_head(&state->items))) {
    annals_rpc_call_send_ahead(call, &message);
  } else {
    annals_rpc_call_send(call, &message);
  }
}

static void receive_next(struct annals_rpc_call *call) {
  struct state *state = call->state;
  if (!state->receiving && !state->closed && state->waiting == NULL &&
      state->items.length < ITEMS_MAX && !annals_rpc_call_is_stopping(call)) {
    state->receiving = true;
    annals_rpc_call_receive(call);
  }
}

static void end_if_over(struct annals_rpc_call *call) {
  struct state *state = call->state;
  if (!state->closed || state->items.length > 0 || annals_rpc_call_is_sending(call)) {
    return;
  }
  if (state->end_error != NULL) {
    annals_rpc_call_fail(call, state->end_error);
  } else {
    annals_rpc_call_finish(call);
  }
}

/* Goes on with what is due: called whenever anything has happened. */
static void go_on(struct annals_rpc_call *call) {
  collect(call->state);
  run_waiting(call);
  send_oldest(call);
  receive_next(call);
  end_if_over(call);
}

static struct item *add_item(struct annals_rpc_call *call) {
  struct item *item = g_new0(struct item, 1);
  item->call = call;
  item->started_us = g_get_monotonic_time();
  g_queue_push_tail(&((struct state *)call->state)->items, item);
  return item;
}

static void take_append(struct annals_rpc_call *call, const struct annals_wire_field *wire) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  struct item *item = add_item(call);
  if (annals_rpc_append_read(call, wire->bytes, wire->size, &item->append, &error)) {
    state->waiting = item;
  } else {
    answer(item, error);
    annals_rpc_call_release_request(call);
  }
}

/* What is wrong with an append is its answer; a message that is none ends the stream, and so does
 * one of a client who is not known any more. */
static void on_message(struct annals_rpc_call *call) {
  struct state *state = call->state;
  struct annals_wire_field append;
  state->receiving = false;
  if (call->request != NULL && annals_rpc_call_check_caller(call, &state->end_error) &&
      annals_rpc_append_stream_request_read(call->request, call->request_bytes, &append,
                                            &state->end_error)) {
    take_append(call, &append);
  } else {
    state->closed = true;
  }
  go_on(call);
}

/* There was no room for an append. Others may do better. */
static void on_refused(struct annals_rpc_call *call, const GError *error) {
  struct state *state = call->state;
  state->receiving = false;
  if (annals_rpc_call_check_caller(call, &state->end_error)) {
    answer(add_item(call), error);
    annals_rpc_call_release_request(call);
  } else {
    state->closed = true;
  }
  go_on(call);
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_queue_clear_full(&state->items, item_free);
  g_clear_error(&state->end_error);
}

const struct annals_rpc_method annals_rpc_append_history_events_stream = {
    .path = "/annals.v1.HistoryService/AppendHistoryEventsStream",
    .kind = ANNALS_RPC_BIDI_STREAMING,
    .state_bytes = sizeof(struct state),
    .start = go_on,
    .resume = go_on,
    .on_message = on_message,
    .on_refused = on_refused,
    .on_sent = go_on,
    .release = release,
};
