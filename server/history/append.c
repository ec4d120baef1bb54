#include "server/history/append.h"

#include <string.h>

#include "proto/canonical.h"
#include "server/history/append_cipher.h"
#include "server/history/arn.h"
#include "server/history/error.h"
#include "server/history/event_text.h"
#include "server/history/execution_record.h"
#include "server/history/watchers.h"
#include "storage/frame.h"

/*
 *                overlap             first append's fields, or the status changes
 *   TAIL ──────────────► COMPARE ──► RECORD ──► ENCRYPT ──► WRITE ──► done
 *    │ └─────────────────┼─▲ ┼──────► ▲ │         ▲ │         │
 *    ▲            DECRYPT└─┘ │          └─────────┼─┼────────►▲
 *    └───────────────────────┴──────────┴─────────┴─┴─────────┘ another writer was faster, or has
 *                                                              deleted it
 *
 * TAIL learns where the history ends, COMPARE reads the events that are stored already, RECORD gets
 * the execution's record, WRITE appends on condition that the history still ends there. Where the
 * history is encrypted, or is to be, DECRYPT gets a data key that COMPARE needs, and ENCRYPT one
 * for the new events: the writer never waits for a key, and who did starts over. Each state may
 * suspend, and any may fail. Events that are all stored end behind COMPARE or RECORD.
 */
enum step { STEP_TAIL, STEP_COMPARE, STEP_DECRYPT, STEP_RECORD, STEP_ENCRYPT, STEP_WRITE };

enum {
  ATTEMPTS_MAX = 100, /* each lost race means that another writer's append went in */
};

static struct annals_store *store_of(const struct annals_append *append) {
  return annals_history_options(append->history)->store;
}

/* --- events that are stored already --- */

/*
 * Tells whether the event given now is the one stored: the same but for the timestamp, and that as
 * the server must have set it then.
 */
static bool is_same(struct annals_append *append, size_t i, const struct annals_frame *stored,
                    const struct annals_event_head *stored_head) {
  const struct annals_batch_event *given = &append->batch->events[i];
  size_t rest_size = stored->event_size - stored_head->timestamp_size;
  if (given->rest_size != rest_size ||
      memcmp(annals_batch_rest(append->batch, i), stored->event + stored_head->timestamp_size,
             rest_size) != 0) {
    return false;
  }
  if (!given->head.has_timestamp) {
    return true;
  }
  if (given->head.id > 1 && annals_event_head_compare_times(&given->head, &append->last) < 0) {
    append->adjusted_timestamp_count++;
    return annals_event_head_compare_times(stored_head, &append->last) == 0;
  }
  return annals_event_head_compare_times(stored_head, &given->head) == 0;
}

static bool fail(struct annals_append *append, GError *error) {
  annals_history_name_damaged(error, append->request.execution_arn);
  append->error = error;
  return false;
}

/* Compares the stored event behind compared_id; returns whether to go on. */
static bool compare_event(struct annals_append *append, const struct annals_frame *stored) {
  const struct annals_batch *batch = append->batch;
  int64_t id = append->compared_id + 1;
  int64_t first_id = batch->events[0].head.id;
  struct annals_event_head head;
  if (!annals_canonical_head(annals_history_options(append->history)->schema, stored->event,
                             stored->event_size, &head) ||
      head.id != id) {
    return fail(append, annals_history_damage_error("an event of the history"));
  }
  if (id >= first_id) {
    struct annals_frame plain = *stored;
    if (!annals_append_decrypt(append, id, &plain)) {
      return false;
    }
    if (!is_same(append, (size_t)(id - first_id), &plain, &head)) {
      append->conflict_id = id;
      return false;
    }
  }
  append->last = head;
  append->compared_id = id;
  return id < append->last_id && id < batch->events[batch->event_count - 1].head.id;
}

static bool compare_run(struct annals_store_read *read, const struct annals_run *run) {
  struct annals_append *append = read->op.owner;
  struct annals_frame frame;
  size_t offset = 0;
  int64_t id = run->first_id;
  if (annals_cancel_is_due(append->cancel)) {
    append->error = annals_cancel_error(append->cancel);
    return false;
  }
  for (; annals_frame_next(run->frames, run->frames_bytes, &offset, &frame); id++) {
    if (id == append->compared_id + 1 && !compare_event(append, &frame)) {
      return false;
    }
  }
  return true;
}

/* --- what is new --- */

static size_t stored_count(const struct annals_append *append) {
  int64_t behind = append->last_id - append->batch->events[0].head.id + 1;
  return (size_t)CLAMP(behind, 0, (int64_t)append->batch->event_count);
}

static bool all_stored(const struct annals_append *append) {
  return stored_count(append) == append->batch->event_count;
}

static char *first_event_text(const struct annals_append *append, const char *json_name) {
  char *text = annals_event_text(annals_history_options(append->history)->schema,
                                 annals_batch_rest(append->batch, 0),
                                 append->batch->events[0].rest_size, json_name);
  return text != NULL ? text : g_strdup("");
}

/* Makes what is known of an execution that these events create. Memory: clear it. */
static void start_execution(const struct annals_append *append,
                            struct annals_execution *ret_execution) {
  annals_append_request_execution(&append->request, &append->created_encryption, ret_execution);
  ret_execution->start_seconds = append->batch->events[0].settled_seconds;
  ret_execution->start_nanos = append->batch->events[0].settled_nanos;
  ret_execution->state_machine_version_arn = first_event_text(append, "stateMachineVersionArn");
  ret_execution->state_machine_alias_arn = first_event_text(append, "stateMachineAliasArn");
}

static void drop_record(struct annals_append *append) {
  g_clear_pointer(&append->record, g_free);
  append->record_size = 0;
  append->closes = false;
  annals_listing_places_clear(&append->old_places);
  annals_listing_places_clear(&append->new_places);
}

/* Makes the record of the execution as the events leave it. */
static void make_record(struct annals_append *append, struct annals_execution *execution) {
  annals_batch_apply(append->batch, stored_count(append), execution);
  annals_listing_places_init(&append->new_places, execution);
  append->record = annals_execution_write(execution, &append->record_size);
  append->closes = execution->stopped;
  append->stop_seconds = execution->stop_seconds;
}

/*
 * Makes the record that goes with the events: of a new execution, or where the status changes.
 * stored: the record as it is; it is changed. NULL: nobody had to look.
 */
static void prepare_new_record(struct annals_append *append, struct annals_execution *stored) {
  drop_record(append);
  if (append->last_id == 0) {
    struct annals_execution execution;
    start_execution(append, &execution);
    make_record(append, &execution);
    annals_execution_clear(&execution);
  } else if (annals_batch_changes_status(append->batch, stored_count(append))) {
    annals_listing_places_init(&append->old_places, stored);
    make_record(append, stored);
  }
}

/* --- the steps --- */

static enum annals_progress advance(struct annals_append *append);

static void resume_append(struct annals_append *append) {
  if (advance(append) == ANNALS_DONE) {
    append->on_done(append);
  }
}

static void resume(struct annals_store_op *op) {
  resume_append(op->owner);
}

static void on_decryptor(struct annals_decryptor *decryptor) {
  resume_append(decryptor->owner);
}

static void on_key(struct annals_key_fetch *fetch) {
  resume_append(fetch->owner);
}

static enum annals_store_progress start_tail(struct annals_append *append) {
  struct annals_store *store = store_of(append);
  append->adjusted_timestamp_count = 0;
  append->last = (struct annals_event_head){0};
  append->tail = (struct annals_store_tail){
      .op = {.on_done = resume, .owner = append},
      .arn = append->request.execution_arn,
  };
  return store->ops->tail(store, &append->tail);
}

/* Has it read from the event before the first one given: its timestamp is the floor of the first's.
 */
static void begin_compare(struct annals_append *append) {
  append->compared_id = MAX(append->batch->events[0].head.id - 1, 1) - 1;
  append->adjusted_timestamp_count = 0;
  append->last = (struct annals_event_head){0};
  append->step = STEP_COMPARE;
}

static enum annals_store_progress start_compare(struct annals_append *append) {
  struct annals_store *store = store_of(append);
  append->read = (struct annals_store_read){
      .op = {.on_done = resume, .owner = append},
      .arn = append->request.execution_arn,
      .from_id = append->compared_id + 1,
      .on_run = compare_run,
  };
  return store->ops->read(store, &append->read);
}

static enum annals_store_progress start_record(struct annals_append *append) {
  struct annals_store *store = store_of(append);
  append->get = (struct annals_store_get){
      .op = {.on_done = resume, .owner = append},
      .arn = append->request.execution_arn,
  };
  return store->ops->get(store, &append->get);
}

static enum annals_store_progress start_write(struct annals_append *append) {
  struct annals_store *store = store_of(append);
  const struct annals_batch *batch = append->batch;
  size_t first = stored_count(append);
  append->write = (struct annals_store_append){
      .op = {.on_done = resume, .owner = append},
      .arn = append->request.execution_arn,
      .expected_last_id = append->last_id,
      .since = append->last_id > 0 ? append->tail.moment : 0,
      .frames = append->frames.data,
      .frames_bytes = append->frames.len,
      .event_count = (int32_t)(batch->event_count - first),
      .seal = batch->events[batch->event_count - 1].status > ANNALS_STATUS_RUNNING,
      .record = append->record,
      .record_bytes = append->record_size,
      .old_places = append->old_places.places,
      .old_place_count = append->old_places.count,
      .new_places = append->new_places.places,
      .new_place_count = append->new_places.count,
  };
  annals_append_add_data_key(append);
  if (append->frames.len == 0) {
    append->write.frames = batch->frames.data + batch->events[first].offset;
    append->write.frames_bytes = batch->frames.len - batch->events[first].offset;
  }
  return store->ops->append(store, &append->write);
}

static bool start_step(struct annals_append *append) {
  switch ((enum step)append->step) {
    case STEP_TAIL:
      return start_tail(append) == ANNALS_STORE_DONE;
    case STEP_COMPARE:
      return start_compare(append) == ANNALS_STORE_DONE;
    case STEP_DECRYPT:
      return annals_decryptor_fetch(&append->decryptor) == ANNALS_DONE;
    case STEP_RECORD:
      return start_record(append) == ANNALS_STORE_DONE;
    case STEP_ENCRYPT:
      return annals_append_fetch_key(append, on_key) == ANNALS_DONE;
    case STEP_WRITE:
      return start_write(append) == ANNALS_STORE_DONE;
  }
  g_assert_not_reached();
}

/* Ends the append: with append->error, or with what it did. */
static bool finish(struct annals_append *append, size_t already_stored, int64_t last_event_id) {
  append->already_stored_count = (int32_t)already_stored;
  append->appended_count = (int32_t)(append->batch->event_count - already_stored);
  append->last_event_id = last_event_id;
  return false;
}

/* Another writer was faster: it has appended, or deleted the execution. */
static bool start_over(struct annals_append *append) {
  if (++append->attempts == ATTEMPTS_MAX) {
    return fail(append, annals_error_new(ANNALS_REASON_OVERLOADED,
                                         "too many writers append to this execution"));
  }
  g_clear_error(&append->error); /* what was compared is gone, and with it what was wrong */
  append->conflict_id = 0;
  annals_append_clear_ciphers(append);
  append->step = STEP_TAIL;
  return true;
}

/* Prepares the write, or ends the append when nothing is new. stored: as in prepare_new_record. */
static bool prepare_write(struct annals_append *append, struct annals_execution *stored) {
  if (all_stored(append)) {
    return finish(append, append->batch->event_count, append->last_id);
  }
  int raised;
  size_t first = stored_count(append);
  const bool encrypts = annals_append_encrypts(append);
  annals_buffer_reset(&append->frames);
  if (!annals_batch_settle(append->batch, first, &append->last, append->now_ms, &raised) &&
      !encrypts) {
    annals_batch_compose(append->batch, first, &append->frames);
  }
  if (append->frames.failed) {
    return fail(append, annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this append"));
  }
  append->adjusted_timestamp_count += raised;
  prepare_new_record(append, stored);
  append->step = encrypts ? STEP_ENCRYPT : STEP_WRITE;
  return true;
}

static bool prepare_record(struct annals_append *append) {
  if (append->last_id > 0 && (annals_append_request_describes(&append->request) ||
                              annals_batch_changes_status(append->batch, stored_count(append)))) {
    append->step = STEP_RECORD;
    return true;
  }
  return prepare_write(append, NULL);
}

static GError *gap_error(const struct annals_append *append) {
  int64_t expected_id = append->last_id + 1;
  int64_t first_id = append->batch->events[0].head.id;
  GError *error = annals_error_new(ANNALS_REASON_EVENT_GAP,
                                   "the first event has id %" G_GINT64_FORMAT
                                   ", but the history goes on at id %" G_GINT64_FORMAT,
                                   first_id, expected_id);
  annals_error_add_metadata(error, "expected_event_id", "%" G_GINT64_FORMAT, expected_id);
  return error;
}

static GError *conflict_error(const struct annals_append *append) {
  int64_t expected_id = append->last_id + 1;
  GError *error = annals_error_new(ANNALS_REASON_EVENT_CONFLICT,
                                   "a different event is stored under id %" G_GINT64_FORMAT
                                   "; the history goes on at id %" G_GINT64_FORMAT,
                                   append->conflict_id, expected_id);
  annals_error_add_metadata(error, "event_id", "%" G_GINT64_FORMAT, append->conflict_id);
  annals_error_add_metadata(error, "expected_event_id", "%" G_GINT64_FORMAT, expected_id);
  return error;
}

/* Takes the head of the history's last event. */
static bool take_tail(struct annals_append *append) {
  gsize size;
  size_t offset = 0;
  struct annals_frame frame;
  append->last_id = append->tail.last_id;
  const uint8_t *bytes = g_bytes_get_data(append->tail.last_event, &size);
  bool ok = annals_frame_next(bytes, size, &offset, &frame) &&
            annals_canonical_head(annals_history_options(append->history)->schema, frame.event,
                                  frame.event_size, &append->last);
  append->data_key = ok ? frame.data_key : 0;
  g_clear_pointer(&append->tail.last_event, g_bytes_unref);
  return ok;
}

static bool finish_tail(struct annals_append *append) {
  enum annals_store_outcome outcome = append->tail.op.outcome;
  if (outcome == ANNALS_STORE_NOT_FOUND) {
    append->last_id = 0;
    append->data_key = 0;
  } else if (outcome != ANNALS_STORE_OK) {
    return fail(append, annals_history_read_error(&append->tail.op));
  } else if (!take_tail(append)) {
    return fail(append, annals_history_damage_error("the last event of the history"));
  }
  if (append->batch->events[0].head.id > append->last_id + 1) {
    return fail(append, gap_error(append));
  }
  if (stored_count(append) > 0) {
    begin_compare(append);
    return true;
  }
  return prepare_record(append);
}

static bool finish_compare(struct annals_append *append) {
  int64_t first_id = append->batch->events[0].head.id;
  if (append->read.op.outcome == ANNALS_STORE_NOT_FOUND) {
    return start_over(append);
  }
  if (append->error != NULL) {
    return false;
  }
  if (append->read.op.outcome != ANNALS_STORE_OK) {
    return fail(append, annals_history_read_error(&append->read.op));
  }
  if (append->conflict_id != 0) {
    return fail(append, conflict_error(append));
  }
  if (annals_decryptor_needs_key(&append->decryptor)) {
    append->step = STEP_DECRYPT;
    return true;
  }
  if (append->compared_id != first_id + (int64_t)stored_count(append) - 1) {
    return fail(append, annals_history_damage_error("events of the history are missing"));
  }
  return prepare_record(append);
}

static bool finish_record(struct annals_append *append) {
  if (append->get.op.outcome == ANNALS_STORE_NOT_FOUND) {
    return start_over(append);
  }
  if (append->get.op.outcome != ANNALS_STORE_OK) {
    return fail(append, annals_history_read_error(&append->get.op));
  }
  struct annals_execution stored;
  if (!annals_execution_read(append->get.record, &stored)) {
    g_clear_pointer(&append->get.record, g_bytes_unref);
    return fail(append, annals_history_damage_error("the execution's record"));
  }
  bool ok = annals_append_request_check_unchanged(&append->request, &stored, &append->error) &&
            prepare_write(append, &stored);
  annals_execution_clear(&stored);
  g_clear_pointer(&append->get.record, g_bytes_unref);
  return ok;
}

static bool finish_decrypt(struct annals_append *append) {
  append->error = annals_decryptor_take_key(&append->decryptor);
  append->step = STEP_COMPARE;
  if (annals_decryptor_has_all(&append->decryptor)) {
    begin_compare(append); /* with one read of one execution, unless that takes too many keys */
  }
  return append->error == NULL;
}

/* A key service may take seconds, in which the execution may have been deleted and begun anew with
   as many events: then the key would be another one's. */
static bool finish_encrypt(struct annals_append *append) {
  if (append->key.error == NULL && append->key.waited) {
    return start_over(append);
  }
  append->error = annals_append_encrypt(append, stored_count(append));
  append->step = STEP_WRITE;
  return append->error == NULL;
}

static bool finish_write(struct annals_append *append) {
  enum annals_store_outcome outcome = append->write.op.outcome;
  if (outcome == ANNALS_STORE_OK) {
    annals_watchers_tell(annals_history_watchers(append->history), append->request.execution_arn,
                         append->write.last_id);
    if (append->closes) {
      annals_history_note_closed(append->history, append->stop_seconds);
    }
    return finish(append, stored_count(append), append->write.last_id);
  }
  if (outcome != ANNALS_STORE_CONFLICT) {
    return fail(append, annals_history_write_error(&append->write.op));
  }
  return start_over(append);
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_append *append) {
  switch ((enum step)append->step) {
    case STEP_TAIL:
      return finish_tail(append);
    case STEP_COMPARE:
      return finish_compare(append);
    case STEP_DECRYPT:
      return finish_decrypt(append);
    case STEP_RECORD:
      return finish_record(append);
    case STEP_ENCRYPT:
      return finish_encrypt(append);
    case STEP_WRITE:
      return finish_write(append);
  }
  g_assert_not_reached();
}

/* A step of the store has ended: goes on until one is pending or the append is done. */
static enum annals_progress advance(struct annals_append *append) {
  while (finish_step(append)) {
    if (annals_cancel_is_due(append->cancel)) {
      append->error = annals_cancel_error(append->cancel);
      return ANNALS_DONE;
    }
    if (!start_step(append)) {
      return ANNALS_PENDING;
    }
  }
  return ANNALS_DONE;
}

static bool is_own_machine(const struct annals_append_request *request, const char *machine) {
  g_autofree char *own = annals_execution_arn_state_machine(request->execution_arn);
  return strcmp(machine, own) == 0;
}

/* Naming another's state machine or map run puts an execution into that one's list. */
static bool may_name_parents(struct annals_append *append) {
  const struct annals_append_request *request = &append->request;
  const enum annals_action action = ANNALS_ACTION_APPEND_HISTORY_EVENTS;
  const char *machine = request->state_machine_arn;
  const char *map_run = request->map_run_arn;
  bool own_machine = *machine == '\0' || is_own_machine(request, machine);
  bool own_map_run = *map_run == '\0' || annals_map_run_arn_is_of(map_run, request->execution_arn);
  return (own_machine ||
          annals_check_permission(request->principal, action, machine, &append->error)) &&
         (own_map_run ||
          annals_check_permission(request->principal, action, map_run, &append->error));
}

static bool is_allowed(struct annals_append *append) {
  const struct annals_append_request *request = &append->request;
  return may_name_parents(append) &&
         annals_authorize(append->history, request->principal, ANNALS_ACTION_APPEND_HISTORY_EVENTS,
                          request->execution_arn, &append->error);
}

enum annals_progress annals_append_run(struct annals_history *history,
                                       struct annals_append *append) {
  const struct annals_append_request *request = &append->request;
  append->history = history;
  append->now_ms = annals_history_now_us(history) / 1000;
  annals_buffer_init(&append->frames, ANNALS_BATCH_FRAMES_BYTES_MAX);
  if (!annals_append_request_check(request, &append->error) || !is_allowed(append)) {
    return ANNALS_DONE;
  }
  annals_append_begin_ciphers(append, on_decryptor);
  append->batch = annals_batch_new(annals_history_options(history)->schema, request->events,
                                   request->event_count, &append->error);
  if (append->batch == NULL) {
    return ANNALS_DONE;
  }
  append->step = STEP_TAIL;
  return start_step(append) ? advance(append) : ANNALS_PENDING;
}

void annals_append_clear(struct annals_append *append) {
  g_clear_error(&append->error);
  annals_append_clear_ciphers(append);
  g_clear_pointer(&append->batch, annals_batch_free);
  annals_buffer_clear(&append->frames);
  drop_record(append);
}
