#include "server/history/describe.h"

#include <string.h>

#include "proto/canonical.h"
#include "server/history/arn.h"
#include "server/history/constraint.h"
#include "server/history/error.h"
#include "server/history/event_text.h"
#include "storage/frame.h"

/*
 *   RECORD ──► STOP_EVENT ──► FIRST_EVENT ──► done
 *     ▲            │               │
 *     └────────────┴───────────────┘ the event is not the record's: the execution is another one,
 *                                    unless the record is the same when it is read again
 *
 * RECORD tells which events there are to read; what is left is skipped. Events never change, so
 * what is read later than the record still goes with it, unless the execution was deleted and made
 * anew in between. The first event is read last and tells by its time whether that is so: the ends
 * of two executions may look the same. An event that is encrypted is read again once there is its
 * key. Each state may suspend, and any may fail.
 */
enum step { STEP_RECORD, STEP_STOP_EVENT, STEP_FIRST_EVENT };

static const int64_t redrivable_us = 14 * G_TIME_SPAN_DAY;

static GError *check_request(struct annals_history *history,
                             const struct annals_describe_request *request) {
  GError *error = NULL;
  annals_constraint_execution_arn(&error, request->execution_arn);
  annals_constraint_enum(&error, "included_data", request->included_data,
                         &annals_enum_included_data);
  if (error != NULL) {
    return error;
  }
  bool ok = annals_execution_arn_check(request->execution_arn, &error) &&
            annals_authorize(history, request->principal, ANNALS_ACTION_DESCRIBE_EXECUTION,
                             request->execution_arn, &error);
  return ok ? NULL : error;
}

/* --- redrives --- */

static bool is_too_old(const struct annals_describe *describe) {
  const struct annals_execution *execution = &describe->execution;
  int64_t stop_us = execution->stop_seconds * G_TIME_SPAN_SECOND + execution->stop_nanos / 1000;
  return annals_history_now_us(describe->history) - stop_us > redrivable_us;
}

/* Why the execution cannot be redriven; NULL: it can. */
static const char *obstacle(const struct annals_describe *describe) {
  if (describe->execution.status == ANNALS_STATUS_RUNNING) {
    return "Execution is RUNNING and cannot be redriven";
  }
  if (describe->execution.status == ANNALS_STATUS_SUCCEEDED) {
    return "Execution is SUCCEEDED and cannot be redriven";
  }
  return is_too_old(describe) ? "Execution redrivable period exceeded" : NULL;
}

static void tell_redrive(struct annals_describe *describe) {
  describe->redrive_status_reason = obstacle(describe);
  if (describe->redrive_status_reason != NULL) {
    describe->redrive_status = ANNALS_REDRIVE_STATUS_NOT_REDRIVABLE;
  } else if (*describe->execution.map_run_arn != '\0') {
    describe->redrive_status = ANNALS_REDRIVE_STATUS_REDRIVABLE_BY_MAP_RUN;
  } else {
    describe->redrive_status = ANNALS_REDRIVE_STATUS_REDRIVABLE;
  }
}

/* --- events --- */

static int64_t wanted_id(const struct annals_describe *describe) {
  return describe->step == STEP_FIRST_EVENT ? 1 : describe->execution.stop_event_id;
}

/* Tells whether the event is the one that the record was made from. */
static bool is_of_record(const struct annals_describe *describe,
                         const struct annals_event_head *head) {
  const struct annals_execution *execution = &describe->execution;
  bool first = describe->step == STEP_FIRST_EVENT;
  const struct annals_event_type *type =
      annals_schema_type(annals_history_options(describe->history)->schema, head->type);
  enum annals_status status = first ? ANNALS_STATUS_RUNNING : execution->status;
  return head->id == wanted_id(describe) && type != NULL && type->status == status &&
         head->seconds == (first ? execution->start_seconds : execution->stop_seconds) &&
         head->nanos == (first ? execution->start_nanos : execution->stop_nanos);
}

/* Makes the event plain. Returns false when that fails, or takes a key first. */
static bool decrypt(struct annals_describe *describe, struct annals_frame *frame) {
  struct annals_frame plain;
  switch (annals_decryptor_read(&describe->decryptor, wanted_id(describe), frame, &plain)) {
    case ANNALS_DECRYPTED:
      *frame = plain;
      return true;
    case ANNALS_DECRYPTED_NEEDS_KEY:
      break;
    case ANNALS_DECRYPTED_DAMAGED:
      describe->error = annals_history_damage_error("an event of the history");
      annals_history_name_damaged(describe->error, describe->request.execution_arn);
      break;
    case ANNALS_DECRYPTED_NO_MEMORY:
      describe->error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this event");
      break;
  }
  return false;
}

static void take_texts(struct annals_describe *describe, const struct annals_frame *frame) {
  const struct annals_schema *schema = annals_history_options(describe->history)->schema;
  if (describe->step == STEP_FIRST_EVENT) {
    describe->input = annals_event_text(schema, frame->event, frame->event_size, "input");
  } else if (describe->execution.status == ANNALS_STATUS_SUCCEEDED) {
    describe->output = annals_event_text(schema, frame->event, frame->event_size, "output");
  } else {
    describe->failure_error = annals_event_text(schema, frame->event, frame->event_size, "error");
    describe->failure_cause = annals_event_text(schema, frame->event, frame->event_size, "cause");
  }
}

/* The first run holds the event, or none does. */
static bool take_run(struct annals_store_read *read, const struct annals_run *run) {
  struct annals_describe *describe = read->op.owner;
  const struct annals_schema *schema = annals_history_options(describe->history)->schema;
  struct annals_frame frame;
  struct annals_event_head head;
  size_t offset = 0;
  int64_t id = run->first_id;
  while (annals_frame_next(run->frames, run->frames_bytes, &offset, &frame)) {
    if (id++ != wanted_id(describe)) {
      continue;
    }
    if (annals_canonical_head(schema, frame.event, frame.event_size, &head) &&
        is_of_record(describe, &head)) {
      describe->found = true;
      if (frame.data_key == 0 || decrypt(describe, &frame)) {
        take_texts(describe, &frame);
      }
    }
    break;
  }
  return false;
}

/* --- the steps --- */

static enum annals_progress advance(struct annals_describe *describe);

static void resume_describe(struct annals_describe *describe) {
  if (advance(describe) == ANNALS_DONE) {
    describe->on_done(describe);
  }
}

static void resume(struct annals_store_op *op) {
  resume_describe(op->owner);
}

static void on_key(struct annals_decryptor *decryptor) {
  resume_describe(decryptor->owner);
}

/* May be of an execution that is encrypted. */
static void drop_text(char **text) {
  if (*text != NULL) {
    explicit_bzero(*text, strlen(*text));
  }
  g_clear_pointer(text, g_free);
}

static void drop_result(struct annals_describe *describe) {
  g_clear_pointer(&describe->get.record, g_bytes_unref);
  annals_execution_clear(&describe->execution);
  drop_text(&describe->input);
  drop_text(&describe->output);
  drop_text(&describe->failure_error);
  drop_text(&describe->failure_cause);
}

static bool start_record(struct annals_describe *describe) {
  struct annals_store *store = annals_history_options(describe->history)->store;
  drop_result(describe);
  describe->get = (struct annals_store_get){
      .op = {.on_done = resume, .owner = describe},
      .arn = describe->request.execution_arn,
  };
  return store->ops->get(store, &describe->get) == ANNALS_STORE_DONE;
}

static bool start_event(struct annals_describe *describe) {
  struct annals_store *store = annals_history_options(describe->history)->store;
  describe->found = false;
  describe->read = (struct annals_store_read){
      .op = {.on_done = resume, .owner = describe},
      .arn = describe->request.execution_arn,
      .from_id = wanted_id(describe),
      .on_run = take_run,
  };
  return store->ops->read(store, &describe->read) == ANNALS_STORE_DONE;
}

static bool start_step(struct annals_describe *describe) {
  if (annals_decryptor_needs_key(&describe->decryptor)) {
    return annals_decryptor_fetch(&describe->decryptor) == ANNALS_DONE;
  }
  return describe->step == STEP_RECORD ? start_record(describe) : start_event(describe);
}

static bool fail(struct annals_describe *describe, GError *error) {
  annals_history_name_damaged(error, describe->request.execution_arn);
  describe->error = error;
  return false;
}

static bool fail_store(struct annals_describe *describe, const struct annals_store_op *op) {
  return fail(describe, op->outcome == ANNALS_STORE_NOT_FOUND
                            ? annals_history_missing_error(describe->request.execution_arn)
                            : annals_history_read_error(op));
}

static bool finish_record(struct annals_describe *describe) {
  if (describe->get.op.outcome != ANNALS_STORE_OK) {
    return fail_store(describe, &describe->get.op);
  }
  if (!annals_execution_read(describe->get.record, &describe->execution)) {
    return fail(describe, annals_history_damage_error("the execution's record"));
  }
  tell_redrive(describe);
  describe->step = describe->execution.stop_event_id > 0 ? STEP_STOP_EVENT : STEP_FIRST_EVENT;
  return g_strcmp0(describe->request.included_data, "METADATA_ONLY") != 0;
}

/* The event is not the record's: the execution has become another one between the two, and so has
 * the record; or, where it is the same when it is read again, something is damaged. */
static bool begin_anew(struct annals_describe *describe) {
  if (describe->doubted != NULL && g_bytes_equal(describe->doubted, describe->get.record)) {
    return fail(describe, annals_history_damage_error("an event that the record tells of"));
  }
  g_clear_pointer(&describe->doubted, g_bytes_unref);
  describe->doubted = g_steal_pointer(&describe->get.record);
  describe->step = STEP_RECORD;
  return true;
}

static bool finish_event(struct annals_describe *describe) {
  if (describe->read.op.outcome != ANNALS_STORE_OK) {
    return fail_store(describe, &describe->read.op);
  }
  if (!describe->found) {
    return begin_anew(describe);
  }
  if (describe->error != NULL || annals_decryptor_needs_key(&describe->decryptor)) {
    return describe->error == NULL;
  }
  bool more = describe->step == STEP_STOP_EVENT;
  describe->step = STEP_FIRST_EVENT;
  return more;
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_describe *describe) {
  if (annals_decryptor_is_fetching(&describe->decryptor)) {
    describe->error = annals_decryptor_take_key(&describe->decryptor);
    return describe->error == NULL; /* the event is read again */
  }
  return describe->step == STEP_RECORD ? finish_record(describe) : finish_event(describe);
}

/* A step of the store has ended: goes on until one is pending or all is told. */
static enum annals_progress advance(struct annals_describe *describe) {
  while (finish_step(describe)) {
    if (annals_cancel_is_due(describe->cancel)) {
      describe->error = annals_cancel_error(describe->cancel);
      return ANNALS_DONE;
    }
    if (!start_step(describe)) {
      return ANNALS_PENDING;
    }
  }
  return ANNALS_DONE;
}

enum annals_progress annals_describe_run(struct annals_history *history,
                                         struct annals_describe *describe) {
  describe->history = history;
  annals_decryptor_begin(&describe->decryptor, history, describe->request.execution_arn);
  describe->decryptor.on_done = on_key;
  describe->decryptor.owner = describe;
  describe->error = check_request(history, &describe->request);
  if (describe->error != NULL) {
    return ANNALS_DONE;
  }
  describe->name = annals_execution_arn_name(describe->request.execution_arn);
  describe->step = STEP_RECORD;
  return start_step(describe) ? advance(describe) : ANNALS_PENDING;
}

void annals_describe_clear(struct annals_describe *describe) {
  g_clear_error(&describe->error);
  g_clear_pointer(&describe->doubted, g_bytes_unref);
  annals_decryptor_clear(&describe->decryptor);
  drop_result(describe);
}
