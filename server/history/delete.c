#include "server/history/delete.h"

#include "server/history/arn.h"
#include "server/history/constraint.h"
#include "server/history/error.h"
#include "server/history/watchers.h"

/*
 *   RECORD ──────────► DELETE ──► done
 *    │  ▲                │
 *    ▼  │                │ the history ends elsewhere
 *   TAIL ◄───────────────┘
 *
 * RECORD tells where the execution stands in listings and, if it has ended, where its history most
 * likely ends, too; else TAIL does, and the record is read again behind it. DELETE deletes on
 * condition that the history ends there, and the record is still the one that was read. What is
 * not wanted, as the record says, ends behind RECORD. Each state may suspend, and any may fail.
 */
enum step { STEP_TAIL, STEP_RECORD, STEP_DELETE };

enum {
  ATTEMPTS_MAX = 100, /* each lost race means that a writer's append went in */
};

static GError *check_request(struct annals_history *history,
                             const struct annals_delete_request *request) {
  GError *error = NULL;
  annals_constraint_execution_arn(&error, request->execution_arn);
  if (error != NULL) {
    return error;
  }
  bool ok = annals_execution_arn_check(request->execution_arn, &error) &&
            annals_authorize(history, request->principal, ANNALS_ACTION_DELETE_EXECUTION,
                             request->execution_arn, &error);
  return ok ? NULL : error;
}

/* --- the steps --- */

static enum annals_progress advance(struct annals_delete *deletion);

static void resume(struct annals_store_op *op) {
  struct annals_delete *deletion = op->owner;
  if (advance(deletion) == ANNALS_DONE) {
    deletion->on_done(deletion);
  }
}

static enum annals_store_progress start_tail(struct annals_delete *deletion,
                                             struct annals_store *store) {
  deletion->tail = (struct annals_store_tail){
      .op = {.on_done = resume, .owner = deletion},
      .arn = deletion->request.execution_arn,
  };
  return store->ops->tail(store, &deletion->tail);
}

static enum annals_store_progress start_record(struct annals_delete *deletion,
                                               struct annals_store *store) {
  deletion->get = (struct annals_store_get){
      .op = {.on_done = resume, .owner = deletion},
      .arn = deletion->request.execution_arn,
  };
  return store->ops->get(store, &deletion->get);
}

static enum annals_store_progress start_delete(struct annals_delete *deletion,
                                               struct annals_store *store) {
  deletion->removal = (struct annals_store_delete){
      .op = {.on_done = resume, .owner = deletion},
      .arn = deletion->request.execution_arn,
      .expected_last_id = deletion->last_id,
      .places = deletion->places.places,
      .place_count = deletion->places.count,
  };
  gsize size;
  deletion->removal.record = g_bytes_get_data(deletion->record, &size);
  deletion->removal.record_bytes = size;
  return store->ops->delete_execution(store, &deletion->removal);
}

static bool start_step(struct annals_delete *deletion) {
  struct annals_store *store = annals_history_options(deletion->history)->store;
  switch ((enum step)deletion->step) {
    case STEP_TAIL:
      return start_tail(deletion, store) == ANNALS_STORE_DONE;
    case STEP_RECORD:
      return start_record(deletion, store) == ANNALS_STORE_DONE;
    case STEP_DELETE:
      return start_delete(deletion, store) == ANNALS_STORE_DONE;
  }
  g_assert_not_reached();
}

static bool fail(struct annals_delete *deletion, GError *error) {
  annals_history_name_damaged(error, deletion->request.execution_arn);
  deletion->error = error;
  return false;
}

static bool fail_read(struct annals_delete *deletion, const struct annals_store_op *op) {
  return fail(deletion, op->outcome == ANNALS_STORE_NOT_FOUND
                            ? annals_history_missing_error(deletion->request.execution_arn)
                            : annals_history_read_error(op));
}

static bool finish_tail(struct annals_delete *deletion) {
  if (deletion->tail.op.outcome != ANNALS_STORE_OK) {
    return fail_read(deletion, &deletion->tail.op);
  }
  g_clear_pointer(&deletion->tail.last_event, g_bytes_unref);
  deletion->last_id = deletion->tail.last_id;
  deletion->step = STEP_RECORD;
  return true;
}

static bool take_record(struct annals_delete *deletion, const struct annals_execution *execution) {
  if (deletion->wanted != NULL && !deletion->wanted(deletion, execution)) {
    deletion->kept = true;
    return false;
  }
  if (deletion->last_id == 0) {
    deletion->last_id = execution->stop_event_id;
  }
  annals_listing_places_clear(&deletion->places);
  annals_listing_places_init(&deletion->places, execution);
  deletion->step = deletion->last_id > 0 ? STEP_DELETE : STEP_TAIL;
  return true;
}

static bool finish_record(struct annals_delete *deletion) {
  if (deletion->get.op.outcome != ANNALS_STORE_OK) {
    return fail_read(deletion, &deletion->get.op);
  }
  struct annals_execution execution;
  g_clear_pointer(&deletion->record, g_bytes_unref);
  deletion->record = g_steal_pointer(&deletion->get.record);
  if (!annals_execution_read(deletion->record, &execution)) {
    return fail(deletion, annals_history_damage_error("the execution's record"));
  }
  bool more = take_record(deletion, &execution);
  annals_execution_clear(&execution);
  return more;
}

/* The texts of failed writes speak of appends, where the outcome is unknown. */
static GError *write_error(const struct annals_store_op *op) {
  if (op->outcome != ANNALS_STORE_UNKNOWN) {
    return annals_history_write_error(op);
  }
  GError *error = annals_error_new(ANNALS_REASON_OUTCOME_UNKNOWN,
                                   "the execution may or may not be deleted; repeat the deletion");
  annals_error_set_detail(error, op->detail);
  return error;
}

static bool finish_delete(struct annals_delete *deletion) {
  const struct annals_store_op *op = &deletion->removal.op;
  if (op->outcome == ANNALS_STORE_OK) {
    annals_watchers_tell(annals_history_watchers(deletion->history),
                         deletion->request.execution_arn, 0);
    return false;
  }
  if (op->outcome == ANNALS_STORE_NOT_FOUND) {
    return fail_read(deletion, op);
  }
  if (op->outcome != ANNALS_STORE_CONFLICT) {
    return fail(deletion, write_error(op));
  }
  if (++deletion->attempts == ATTEMPTS_MAX) {
    return fail(deletion, annals_error_new(ANNALS_REASON_OVERLOADED,
                                           "too many writers append to this execution"));
  }
  deletion->step = STEP_TAIL;
  return true;
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_delete *deletion) {
  switch ((enum step)deletion->step) {
    case STEP_TAIL:
      return finish_tail(deletion);
    case STEP_RECORD:
      return finish_record(deletion);
    case STEP_DELETE:
      return finish_delete(deletion);
  }
  g_assert_not_reached();
}

/* A step of the store has ended: goes on until one is pending or the deletion is done. */
static enum annals_progress advance(struct annals_delete *deletion) {
  while (finish_step(deletion)) {
    if (annals_cancel_is_due(deletion->cancel)) {
      deletion->error = annals_cancel_error(deletion->cancel);
      return ANNALS_DONE;
    }
    if (!start_step(deletion)) {
      return ANNALS_PENDING;
    }
  }
  return ANNALS_DONE;
}

enum annals_progress annals_delete_run_own(struct annals_history *history,
                                           struct annals_delete *deletion) {
  deletion->history = history;
  deletion->step = STEP_RECORD;
  return start_step(deletion) ? advance(deletion) : ANNALS_PENDING;
}

enum annals_progress annals_delete_run(struct annals_history *history,
                                       struct annals_delete *deletion) {
  deletion->error = check_request(history, &deletion->request);
  if (deletion->error != NULL) {
    return ANNALS_DONE;
  }
  return annals_delete_run_own(history, deletion);
}

void annals_delete_clear(struct annals_delete *deletion) {
  g_clear_error(&deletion->error);
  g_clear_pointer(&deletion->record, g_bytes_unref);
  annals_listing_places_clear(&deletion->places);
}
