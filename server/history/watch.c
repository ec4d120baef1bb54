#include "server/history/watch.h"

#include <string.h>

#include "proto/canonical.h"
#include "server/history/arn.h"
#include "server/history/constraint.h"
#include "server/history/error.h"

/*
 *                 nothing new, and unknown whether the history has ended
 *   READ ──► TAKE ──────────────────────────────────────────────────────► TAIL ──► LOOK
 *    ▲        │ nothing new                                                          │
 *    │        ▼                                                                      │
 *    └────── REST ◄──────────────────────────────────────────────────────────────────┘
 *      changed │ changed, while waiting: READ
 *
 * READ begins to read events, TAKE gives them, or finds that the first one takes a key: KEY gets
 * it, and goes on with READ; TAIL asks for the last event of a history of which none have been
 * given, LOOK looks whether it is a terminal one. REST ends the watch, or waits for a change since
 * before the last READ.
 */
enum step { STEP_READ, STEP_TAKE, STEP_KEY, STEP_TAIL, STEP_LOOK, STEP_REST };

/* Beside enum annals_watch_progress: the next step may be taken. */
enum { GO_ON = -1 };

static const struct annals_schema *schema_of(const struct annals_watch *watch) {
  return annals_history_options(watch->history)->schema;
}

static struct annals_store *store_of(const struct annals_watch *watch) {
  return annals_history_options(watch->history)->store;
}

static int fail(struct annals_watch *watch, GError *error) {
  annals_history_name_damaged(error, watch->request.execution_arn);
  watch->error = error;
  return ANNALS_WATCH_DONE;
}

static int fail_read(struct annals_watch *watch, const struct annals_store_op *op) {
  return fail(watch, op->outcome == ANNALS_STORE_NOT_FOUND
                         ? annals_history_missing_error(watch->request.execution_arn)
                         : annals_history_read_error(op));
}

static void on_read(struct annals_store_op *op) {
  struct annals_watch *watch = op->owner;
  watch->on_read(watch);
}

static void on_key(struct annals_decryptor *decryptor) {
  struct annals_watch *watch = decryptor->owner;
  watch->on_read(watch);
}

static void on_change(struct annals_watcher *watcher) {
  struct annals_watch *watch =
      (struct annals_watch *)((char *)watcher - offsetof(struct annals_watch, watcher));
  watch->on_change(watch);
}

/* --- events --- */

/* Notes whether an event is a terminal one. Returns false when it is damaged. */
static bool note_end(struct annals_watch *watch, const struct annals_frame *frame) {
  struct annals_event_head head;
  if (!annals_canonical_head(schema_of(watch), frame->event, frame->event_size, &head)) {
    return false;
  }
  const struct annals_event_type *type = annals_schema_type(schema_of(watch), head.type);
  watch->ends_here = type != NULL && type->status > ANNALS_STATUS_RUNNING;
  watch->knows_end = true;
  return type != NULL;
}

/* Makes the event plain. Returns false when that fails, or takes a key first. */
static bool decrypt(struct annals_watch *watch, const struct annals_frame *frame,
                    struct annals_frame *ret_plain) {
  switch (annals_decryptor_read(&watch->decryptor, watch->next_id, frame, ret_plain)) {
    case ANNALS_DECRYPTED:
      return true;
    case ANNALS_DECRYPTED_NEEDS_KEY:
      watch->has_more = true;
      break;
    case ANNALS_DECRYPTED_DAMAGED:
      watch->damaged = true;
      break;
    case ANNALS_DECRYPTED_NO_MEMORY:
      watch->events.failed = true;
      break;
  }
  return false;
}

/*
 * Gives the event with next_id; returns whether another one may follow. Behind the last one that
 * has been told of there may be some, but whoever appends them is going to tell; so the store need
 * not be asked, for each of many watchers, whether the history ends there.
 */
static bool take_event(struct annals_watch *watch, const struct annals_frame *frame) {
  if (watch->event_count > 0 && watch->events.len + frame->size > ANNALS_WATCH_BYTES) {
    watch->has_more = true;
    return false;
  }
  struct annals_frame plain;
  if (frame->data_key != 0) {
    if (!decrypt(watch, frame, &plain)) {
      return false;
    }
    frame = &plain;
  }
  if (!watch->encode(watch, frame) || !note_end(watch, frame)) {
    watch->damaged = true;
    return false;
  }
  watch->event_count++;
  return watch->next_id++ != watch->version.last_id;
}

static bool take_run(struct annals_store_read *read, const struct annals_run *run) {
  struct annals_watch *watch = read->op.owner;
  struct annals_frame frame;
  size_t offset = 0;
  int64_t id = run->first_id;
  if (annals_cancel_is_due(watch->cancel)) {
    watch->abandoned = true;
    return false;
  }
  for (; annals_frame_next(run->frames, run->frames_bytes, &offset, &frame); id++) {
    if (id == watch->next_id && !take_event(watch, &frame)) {
      return false;
    }
  }
  watch->damaged = offset != run->frames_bytes || id != run->last_id + 1;
  return !watch->damaged;
}

/* --- the steps --- */

static int start_read(struct annals_watch *watch) {
  struct annals_store *store = store_of(watch);
  watch->version =
      annals_watchers_version(annals_history_watchers(watch->history), &watch->watcher);
  if (watch->version.deleted) {
    return fail(watch, annals_history_missing_error(watch->request.execution_arn));
  }
  watch->event_count = 0;
  watch->has_more = false;
  watch->read = (struct annals_store_read){
      .op = {.on_done = on_read, .owner = watch},
      .arn = watch->request.execution_arn,
      .from_id = watch->next_id,
      .on_run = take_run,
  };
  watch->step = STEP_TAKE;
  return store->ops->read(store, &watch->read) == ANNALS_STORE_DONE ? GO_ON : ANNALS_WATCH_READING;
}

static int take(struct annals_watch *watch) {
  if (watch->abandoned) {
    return fail(watch, annals_cancel_error(watch->cancel));
  }
  if (watch->read.op.outcome != ANNALS_STORE_OK) {
    return fail_read(watch, &watch->read.op);
  }
  if (watch->events.failed) {
    return fail(watch, annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for these events"));
  }
  if (watch->damaged) {
    return fail(watch, annals_history_damage_error("an event of the history"));
  }
  if (watch->event_count == 0 && annals_decryptor_needs_key(&watch->decryptor)) {
    watch->step = STEP_KEY;
    return annals_decryptor_fetch(&watch->decryptor) == ANNALS_DONE ? GO_ON : ANNALS_WATCH_READING;
  }
  annals_decryptor_clear(&watch->decryptor);
  if (watch->event_count > 0) {
    watch->step = watch->has_more ? STEP_READ : STEP_REST;
    return ANNALS_WATCH_EVENTS;
  }
  watch->step = watch->knows_end ? STEP_REST : STEP_TAIL;
  return GO_ON;
}

static int take_key(struct annals_watch *watch) {
  GError *error = annals_decryptor_take_key(&watch->decryptor);
  watch->step = STEP_READ;
  return error != NULL ? fail(watch, error) : GO_ON;
}

static int start_tail(struct annals_watch *watch) {
  struct annals_store *store = store_of(watch);
  watch->tail = (struct annals_store_tail){
      .op = {.on_done = on_read, .owner = watch},
      .arn = watch->request.execution_arn,
  };
  watch->step = STEP_LOOK;
  return store->ops->tail(store, &watch->tail) == ANNALS_STORE_DONE ? GO_ON : ANNALS_WATCH_READING;
}

/* An id behind the next one to come is a mistake, or of another execution of this name. */
static GError *ahead_error(const struct annals_watch *watch) {
  GError *error = annals_error_new(ANNALS_REASON_INVALID_REQUEST,
                                   "from_event_id: the history ends at id %" G_GINT64_FORMAT,
                                   watch->tail.last_id);
  annals_error_add_metadata(error, "field", "from_event_id");
  annals_error_add_metadata(error, "last_event_id", "%" G_GINT64_FORMAT, watch->tail.last_id);
  return error;
}

static int look(struct annals_watch *watch) {
  if (watch->tail.op.outcome != ANNALS_STORE_OK) {
    return fail_read(watch, &watch->tail.op);
  }
  struct annals_frame frame;
  size_t offset = 0;
  gsize size;
  const uint8_t *bytes = g_bytes_get_data(watch->tail.last_event, &size);
  bool ok = annals_frame_next(bytes, size, &offset, &frame) && note_end(watch, &frame);
  g_clear_pointer(&watch->tail.last_event, g_bytes_unref);
  if (!ok) {
    return fail(watch, annals_history_damage_error("the last event of the history"));
  }
  if (watch->tail.last_id < watch->next_id - 1) {
    return fail(watch, ahead_error(watch));
  }
  /* What has been appended since the read has been, or will be, told of. */
  watch->ends_here = watch->ends_here && watch->tail.last_id == watch->next_id - 1;
  watch->step = STEP_REST;
  return GO_ON;
}

static int rest(struct annals_watch *watch) {
  watch->step = STEP_READ;
  if (watch->ends_here && !watch->request.follow_redrives) {
    return ANNALS_WATCH_DONE;
  }
  return annals_watchers_wait(annals_history_watchers(watch->history), &watch->watcher,
                              watch->version.changes)
             ? ANNALS_WATCH_WAITING
             : GO_ON;
}

static int run_step(struct annals_watch *watch) {
  if (annals_cancel_is_due(watch->cancel)) {
    return fail(watch, annals_cancel_error(watch->cancel));
  }
  switch ((enum step)watch->step) {
    case STEP_READ:
      return start_read(watch);
    case STEP_TAKE:
      return take(watch);
    case STEP_KEY:
      return take_key(watch);
    case STEP_TAIL:
      return start_tail(watch);
    case STEP_LOOK:
      return look(watch);
    case STEP_REST:
      return rest(watch);
  }
  g_assert_not_reached();
}

enum annals_watch_progress annals_watch_next(struct annals_watch *watch) {
  int progress;
  do {
    progress = run_step(watch);
  } while (progress == GO_ON);
  return (enum annals_watch_progress)progress;
}

/* --- begin and end --- */

static GError *check_request(struct annals_history *history,
                             const struct annals_watch_request *request) {
  GError *error = NULL;
  annals_constraint_execution_arn(&error, request->execution_arn);
  if (request->from_event_id < 0) {
    g_autofree char *value = g_strdup_printf("%" G_GINT64_FORMAT, request->from_event_id);
    annals_constraint_violated(&error, "from_event_id", value,
                               "Member must have value greater than or equal to 0");
  }
  if (error != NULL) {
    return error;
  }
  bool ok = annals_execution_arn_check(request->execution_arn, &error) &&
            annals_authorize(history, request->principal, ANNALS_ACTION_WATCH_EXECUTION_HISTORY,
                             request->execution_arn, &error);
  return ok ? NULL : error;
}

enum annals_watch_progress annals_watch_begin(struct annals_history *history,
                                              struct annals_watch *watch) {
  watch->history = history;
  watch->watcher.on_change = on_change;
  watch->next_id = MAX(watch->request.from_event_id, 1);
  watch->step = STEP_READ;
  annals_buffer_init(&watch->events, ANNALS_WATCH_BUFFER_BYTES_MAX);
  annals_decryptor_begin(&watch->decryptor, history, watch->request.execution_arn);
  watch->decryptor.on_done = on_key;
  watch->decryptor.owner = watch;
  GError *error = check_request(history, &watch->request);
  if (error != NULL) {
    return (enum annals_watch_progress)fail(watch, error);
  }
  annals_watchers_join(annals_history_watchers(history), &watch->watcher,
                       watch->request.execution_arn);
  return annals_watch_next(watch);
}

bool annals_watch_set_principal(struct annals_watch *watch,
                                const struct annals_principal *principal, GError **error) {
  watch->request.principal = principal;
  return annals_check_permission(principal, ANNALS_ACTION_WATCH_EXECUTION_HISTORY,
                                 watch->request.execution_arn, error);
}

void annals_watch_clear(struct annals_watch *watch) {
  if (watch->history == NULL) {
    return;
  }
  annals_watchers_leave(annals_history_watchers(watch->history), &watch->watcher);
  g_clear_error(&watch->error);
  annals_buffer_clear(&watch->events);
  annals_decryptor_clear(&watch->decryptor);
}
