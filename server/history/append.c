#include "server/history/append.h"

#include <string.h>

#include "annals/v1/history_event.pb-c.h"
#include "proto/canonical.h"
#include "proto/wire.h"
#include "server/history/arn.h"
#include "server/history/error.h"
#include "server/history/execution_record.h"
#include "storage/frame.h"

/*
 *                overlap             first append's fields, or the status changes
 *   TAIL ──────────────► COMPARE ──► RECORD ──► WRITE ──► done
 *    ▲ └─────────────────────────────► ▲          │
 *    └────────────────────────────────────────────┘ another writer was faster
 *
 * TAIL learns where the history ends, COMPARE reads the events that are stored already, RECORD gets
 * the execution's record, WRITE appends on condition that the history still ends there. Each state
 * may suspend, and any may fail. Events that are all stored end behind COMPARE or RECORD.
 */
enum step { STEP_TAIL, STEP_COMPARE, STEP_RECORD, STEP_WRITE };

enum {
  ATTEMPTS_MAX = 100, /* each lost race means that another writer's append went in */
  EXECUTION_REDRIVEN = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_REDRIVEN,
  /* 4 MiB of events, and for each a frame header and a timestamp. */
  FRAMES_BYTES_MAX = 2 * ANNALS_APPEND_BYTES_MAX,
};

static struct annals_store *store_of(const struct annals_append *append) {
  return annals_history_options(append->history)->store;
}

/* --- what is asked for --- */

static bool refuse_field(GError **error, const char *field, const char *value,
                         const char *constraint) {
  GError *failure = annals_error_new(ANNALS_REASON_INVALID_REQUEST, "%s: %s", field, constraint);
  annals_error_add_metadata(failure, "field", "%s", field);
  annals_error_add_violation(failure, field, value, constraint);
  g_propagate_error(error, failure);
  return false;
}

static bool check_state_machine(const char *arn, GError **error) {
  g_autoptr(GError) why = NULL;
  if (*arn == '\0' || annals_state_machine_arn_check(arn, &why)) {
    return true;
  }
  return refuse_field(error, "state_machine_arn", arn, why->message);
}

static bool check_request(const struct annals_append_request *request, GError **error) {
  if (!annals_execution_arn_check(request->execution_arn, error) ||
      !check_state_machine(request->state_machine_arn, error)) {
    return false;
  }
  if (strlen(request->map_run_arn) > ANNALS_MAP_RUN_ARN_BYTES_MAX) {
    return refuse_field(error, "map_run_arn", NULL,
                        "Member must have length less than or equal to 2000");
  }
  if (!g_utf8_validate(request->map_run_arn, -1, NULL)) {
    return refuse_field(error, "map_run_arn", NULL, "Member must be valid UTF-8");
  }
  if (request->item_count < 0) {
    return refuse_field(error, "item_count", NULL,
                        "Member must have value greater than or equal to 0");
  }
  if (strlen(request->trace_header) > ANNALS_TRACE_HEADER_BYTES_MAX ||
      !g_str_is_ascii(request->trace_header)) {
    return refuse_field(error, "trace_header", NULL,
                        "Member must have at most 256 characters, all of them ASCII");
  }
  return true;
}

/* --- events that are stored already --- */

static int compare_times(const struct annals_event_head *a, const struct annals_event_head *b) {
  if (a->seconds != b->seconds) {
    return a->seconds < b->seconds ? -1 : 1;
  }
  return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

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
  if (given->head.id > 1 && compare_times(&given->head, &append->last) < 0) {
    append->adjusted_timestamp_count++;
    return compare_times(stored_head, &append->last) == 0;
  }
  return compare_times(stored_head, &given->head) == 0;
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
    append->error = annals_history_store_error(ANNALS_STORE_CORRUPT);
    return false;
  }
  if (id >= first_id && !is_same(append, (size_t)(id - first_id), stored, &head)) {
    append->conflict_id = id;
    return false;
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

/* The later of now and the event before, at millisecond precision as AWS has it. */
static void set_timestamp(const struct annals_append *append,
                          const struct annals_event_head *before, struct annals_event_head *head) {
  head->seconds = append->now_ms / 1000;
  head->nanos = (int32_t)(append->now_ms % 1000) * 1000000;
  if (compare_times(head, before) < 0) {
    head->seconds = before->seconds;
    head->nanos = before->nanos;
  }
}

/*
 * Settles the timestamps of the new events. Tells whether all are as given: then the batch's own
 * bytes are what is written.
 */
static bool settle_timestamps(struct annals_append *append) {
  struct annals_batch *batch = append->batch;
  struct annals_event_head before = append->last;
  bool as_given = true;
  for (size_t i = stored_count(append); i < batch->event_count; i++) {
    struct annals_event_head head = batch->events[i].head;
    if (!head.has_timestamp) {
      set_timestamp(append, &before, &head);
      as_given = false;
    } else if (compare_times(&head, &before) < 0) {
      head.seconds = before.seconds;
      head.nanos = before.nanos;
      append->adjusted_timestamp_count++;
      as_given = false;
    }
    batch->events[i].settled_seconds = head.seconds;
    batch->events[i].settled_nanos = head.nanos;
    before = head;
  }
  return as_given;
}

/* Composes the frames of the new events with their settled timestamps. */
static bool compose_frames(struct annals_append *append) {
  const struct annals_batch *batch = append->batch;
  struct annals_buffer *frames = &append->frames;
  annals_buffer_reset(frames);
  for (size_t i = stored_count(append); i < batch->event_count; i++) {
    const struct annals_batch_event *event = &batch->events[i];
    size_t start = frames->len;
    annals_canonical_append_timestamp(frames, event->settled_seconds, event->settled_nanos);
    annals_buffer_append(frames, annals_batch_rest(batch, i), event->rest_size);
    annals_wire_wrap(frames, start, ANNALS_FRAME_TAG >> 3);
  }
  return !frames->failed;
}

static enum annals_status status_of(const struct annals_append *append, size_t i) {
  const struct annals_schema *schema = annals_history_options(append->history)->schema;
  return annals_schema_type(schema, append->batch->events[i].head.type)->status;
}

static bool status_changes(const struct annals_append *append) {
  for (size_t i = stored_count(append); i < append->batch->event_count; i++) {
    if (status_of(append, i) != ANNALS_STATUS_UNCHANGED) {
      return true;
    }
  }
  return false;
}

static void apply_events(const struct annals_append *append, struct annals_execution *execution) {
  for (size_t i = stored_count(append); i < append->batch->event_count; i++) {
    const struct annals_batch_event *event = &append->batch->events[i];
    enum annals_status status = status_of(append, i);
    if (status != ANNALS_STATUS_UNCHANGED) {
      annals_execution_apply(execution, status, event->head.type == EXECUTION_REDRIVEN,
                             event->settled_seconds, event->settled_nanos);
    }
  }
}

static void new_execution(const struct annals_append *append, struct annals_execution *execution) {
  const struct annals_append_request *request = &append->request;
  *execution = (struct annals_execution){
      .start_seconds = append->batch->events[0].settled_seconds,
      .start_nanos = append->batch->events[0].settled_nanos,
      .state_machine_arn = *request->state_machine_arn != '\0'
                               ? g_strdup(request->state_machine_arn)
                               : annals_execution_arn_state_machine(request->execution_arn),
      .map_run_arn = g_strdup(request->map_run_arn),
      .item_count = request->item_count,
      .trace_header = g_strdup(request->trace_header),
  };
}

/* Makes the record that goes with the events: of a new execution, or where the status changes. */
static bool make_record(struct annals_append *append, size_t *ret_size) {
  struct annals_execution execution;
  if (append->last_id == 0) {
    new_execution(append, &execution);
  } else if (!annals_execution_read(append->get.record, &execution)) {
    append->error = annals_history_store_error(ANNALS_STORE_CORRUPT);
    return false;
  }
  apply_events(append, &execution);
  append->record = annals_execution_write(&execution, ret_size);
  annals_execution_clear(&execution);
  return true;
}

/* --- what the first append said --- */

static bool names_execution(const struct annals_append_request *request) {
  return *request->state_machine_arn != '\0' || *request->map_run_arn != '\0' ||
         request->item_count != 0 || *request->trace_header != '\0';
}

static bool differs(const char *given, const char *stored) {
  return *given != '\0' && strcmp(given, stored) != 0;
}

/* Later appends may repeat what the first one said, and may not change it. */
static bool check_unchanged(const struct annals_append_request *request,
                            const struct annals_execution *stored, GError **error) {
  static const char constraint[] = "Member must be as the first append of the execution had it";
  if (differs(request->state_machine_arn, stored->state_machine_arn)) {
    return refuse_field(error, "state_machine_arn", request->state_machine_arn, constraint);
  }
  if (differs(request->map_run_arn, stored->map_run_arn)) {
    return refuse_field(error, "map_run_arn", NULL, constraint);
  }
  if (request->item_count != 0 && request->item_count != stored->item_count) {
    return refuse_field(error, "item_count", NULL, constraint);
  }
  if (differs(request->trace_header, stored->trace_header)) {
    return refuse_field(error, "trace_header", NULL, constraint);
  }
  return true;
}

/* --- the steps --- */

static enum annals_progress advance(struct annals_append *append);

static void resume(struct annals_store_op *op) {
  struct annals_append *append = op->owner;
  if (advance(append) == ANNALS_DONE) {
    append->on_done(append);
  }
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

/* Reads from the event before the first one given: its timestamp is the floor of the first's. */
static enum annals_store_progress start_compare(struct annals_append *append) {
  struct annals_store *store = store_of(append);
  int64_t from_id = MAX(append->batch->events[0].head.id - 1, 1);
  append->compared_id = from_id - 1;
  append->last = (struct annals_event_head){0};
  append->read = (struct annals_store_read){
      .op = {.on_done = resume, .owner = append},
      .arn = append->request.execution_arn,
      .from_id = from_id,
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
      .frames = append->frames.data,
      .frames_bytes = append->frames.len,
      .event_count = (int32_t)(batch->event_count - first),
      .seal = status_of(append, batch->event_count - 1) > ANNALS_STATUS_RUNNING,
      .record = append->record,
      .record_bytes = append->record_size,
  };
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
    case STEP_RECORD:
      return start_record(append) == ANNALS_STORE_DONE;
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

static bool fail(struct annals_append *append, GError *error) {
  append->error = error;
  return false;
}

/* Prepares the write, or ends the append when nothing is new. */
static bool prepare_write(struct annals_append *append) {
  if (all_stored(append)) {
    return finish(append, append->batch->event_count, append->last_id);
  }
  annals_buffer_reset(&append->frames);
  if (!settle_timestamps(append) && !compose_frames(append)) {
    return fail(append, annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this append"));
  }
  g_clear_pointer(&append->record, g_free);
  append->record_size = 0;
  if ((append->last_id == 0 || status_changes(append)) &&
      !make_record(append, &append->record_size)) {
    return false;
  }
  append->step = STEP_WRITE;
  return true;
}

static bool prepare_record(struct annals_append *append) {
  if (append->last_id > 0 && (names_execution(&append->request) || status_changes(append))) {
    append->step = STEP_RECORD;
    return true;
  }
  return prepare_write(append);
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
  g_clear_pointer(&append->tail.last_event, g_bytes_unref);
  return ok;
}

static bool finish_tail(struct annals_append *append) {
  enum annals_store_outcome outcome = append->tail.op.outcome;
  if (outcome == ANNALS_STORE_NOT_FOUND) {
    append->last_id = 0;
  } else if (outcome != ANNALS_STORE_OK) {
    return fail(append, annals_history_store_error(outcome));
  } else if (!take_tail(append)) {
    return fail(append, annals_history_store_error(ANNALS_STORE_CORRUPT));
  }
  if (append->batch->events[0].head.id > append->last_id + 1) {
    return fail(append, gap_error(append));
  }
  if (stored_count(append) > 0) {
    append->step = STEP_COMPARE;
    return true;
  }
  return prepare_record(append);
}

static bool finish_compare(struct annals_append *append) {
  int64_t first_id = append->batch->events[0].head.id;
  if (append->error != NULL) {
    return false;
  }
  if (append->read.op.outcome != ANNALS_STORE_OK) {
    return fail(append, annals_history_store_error(append->read.op.outcome));
  }
  if (append->conflict_id != 0) {
    return fail(append, conflict_error(append));
  }
  if (append->compared_id != first_id + (int64_t)stored_count(append) - 1) {
    return fail(append, annals_history_store_error(ANNALS_STORE_CORRUPT));
  }
  return prepare_record(append);
}

static bool finish_record(struct annals_append *append) {
  if (append->get.op.outcome != ANNALS_STORE_OK) {
    return fail(append, annals_history_store_error(append->get.op.outcome));
  }
  struct annals_execution stored;
  if (!annals_execution_read(append->get.record, &stored)) {
    g_clear_pointer(&append->get.record, g_bytes_unref);
    return fail(append, annals_history_store_error(ANNALS_STORE_CORRUPT));
  }
  bool ok = check_unchanged(&append->request, &stored, &append->error) && prepare_write(append);
  annals_execution_clear(&stored);
  g_clear_pointer(&append->get.record, g_bytes_unref);
  return ok;
}

static bool finish_write(struct annals_append *append) {
  enum annals_store_outcome outcome = append->write.op.outcome;
  if (outcome == ANNALS_STORE_OK) {
    return finish(append, stored_count(append), append->write.last_id);
  }
  if (outcome != ANNALS_STORE_CONFLICT) {
    return fail(append, annals_history_store_error(outcome));
  }
  if (++append->attempts == ATTEMPTS_MAX) {
    return fail(append, annals_error_new(ANNALS_REASON_OVERLOADED,
                                         "too many writers append to this execution"));
  }
  append->step = STEP_TAIL;
  return true;
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_append *append) {
  switch ((enum step)append->step) {
    case STEP_TAIL:
      return finish_tail(append);
    case STEP_COMPARE:
      return finish_compare(append);
    case STEP_RECORD:
      return finish_record(append);
    case STEP_WRITE:
      return finish_write(append);
  }
  g_assert_not_reached();
}

/* A step of the store has ended: goes on until one is pending or the append is done. */
static enum annals_progress advance(struct annals_append *append) {
  while (finish_step(append)) {
    if (!start_step(append)) {
      return ANNALS_PENDING;
    }
  }
  return ANNALS_DONE;
}

enum annals_progress annals_append_run(struct annals_history *history,
                                       struct annals_append *append) {
  const struct annals_append_request *request = &append->request;
  append->history = history;
  append->now_ms = annals_history_now_us(history) / 1000;
  annals_buffer_init(&append->frames, FRAMES_BYTES_MAX);
  if (!check_request(request, &append->error)) {
    return ANNALS_DONE;
  }
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
  g_clear_pointer(&append->batch, annals_batch_free);
  annals_buffer_clear(&append->frames);
  g_clear_pointer(&append->record, g_free);
}
