#include "server/history/page.h"

#include "server/history/arn.h"
#include "server/history/constraint.h"
#include "server/history/error.h"
#include "server/history/execution_record.h"
#include "server/history/page_runs.h"
#include "server/history/page_token.h"

/*
 *         all events fit, or the start time is known
 *   READ ──────────────────────────────────────────────► done
 *   ▲  │                                                  ▲
 *   └──┤ KEY, TIME               token given              │
 *      └──────────────────────────────────────► VERIFY ───┘
 *
 * VERIFY and TIME get the execution's record, for its start time; KEY gets a data key that an event
 * needs. Behind KEY and TIME the page is read from its beginning: so it is of one read, and of one
 * execution. VERIFY comes behind it: where the record has the token's start time still, the events
 * are of that execution, whose name was not used anew meanwhile. A token that TIME has made for one
 * whose name was is refused by the next page's VERIFY. Each state may suspend, and any may fail.
 */
enum step { STEP_READ, STEP_KEY, STEP_TIME, STEP_VERIFY };

/* --- what is asked for --- */

/* AWS checks constraints before the ARN's shape. */
static GError *check_request(const struct annals_page_request *request) {
  GError *error = NULL;
  annals_constraint_execution_arn(&error, request->execution_arn);
  annals_constraint_max_results(&error, request->max_results, ANNALS_PAGE_RESULTS_MAX);
  annals_constraint_length(&error, "next_token", request->next_token, ANNALS_PAGE_TOKEN_BYTES_MAX);
  if (error != NULL) {
    return error;
  }
  return annals_execution_arn_check(request->execution_arn, &error) ? NULL : error;
}

static GError *read_token(struct annals_page *page) {
  const struct annals_page_request *request = &page->request;
  const struct annals_history_options *options = annals_history_options(page->history);
  struct annals_page_token token;
  if (!annals_page_token_read(options->token_key, request->execution_arn, request->next_token,
                              &token)) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN,
                            "next_token is not one that was given out for this execution");
  }
  if (token.reverse_order != request->reverse_order ||
      token.include_execution_data != request->include_execution_data) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN,
                            "next_token belongs to a listing with another reverse_order or "
                            "include_execution_data");
  }
  if (annals_history_token_expired(page->history, token.issued_at_ms)) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN, "next_token has expired: start over");
  }
  page->start_seconds = token.start_seconds;
  page->start_nanos = token.start_nanos;
  page->start_known = true;
  page->next_id = token.next_event_id;
  return NULL;
}

/* --- the steps --- */

static enum annals_progress advance(struct annals_page *page);

static void resume_page(struct annals_page *page) {
  if (advance(page) == ANNALS_DONE) {
    page->on_done(page);
  }
}

static void resume(struct annals_store_op *op) {
  resume_page(op->owner);
}

static bool start_get(struct annals_page *page) {
  struct annals_store *store = annals_history_options(page->history)->store;
  page->get = (struct annals_store_get){
      .op = {.on_done = resume, .owner = page},
      .arn = page->request.execution_arn,
  };
  return store->ops->get(store, &page->get) == ANNALS_STORE_DONE;
}

static bool start_read(struct annals_page *page) {
  struct annals_store *store = annals_history_options(page->history)->store;
  page->next_id = page->first_id;
  page->event_count = 0;
  page->more = false;
  page->scanned_bytes = 0;
  annals_page_drop_events(page);
  page->read = (struct annals_store_read){
      .op = {.on_done = resume, .owner = page},
      .arn = page->request.execution_arn,
      .from_id = page->next_id,
      .reverse = page->request.reverse_order,
      .on_run = annals_page_take_run,
  };
  return store->ops->read(store, &page->read) == ANNALS_STORE_DONE;
}

static void on_key(struct annals_decryptor *decryptor) {
  resume_page(decryptor->owner);
}

static bool start_key(struct annals_page *page) {
  page->decryptor.on_done = on_key;
  page->decryptor.owner = page;
  return annals_decryptor_fetch(&page->decryptor) == ANNALS_DONE;
}

static GError *store_error(const struct annals_page *page, const struct annals_store_op *op) {
  return op->outcome == ANNALS_STORE_NOT_FOUND
             ? annals_history_missing_error(page->request.execution_arn)
             : annals_history_read_error(op);
}

/* Gets the start time out of the record; frees the record. */
static GError *record_start(struct annals_page *page, int64_t *ret_seconds, int32_t *ret_nanos) {
  if (page->get.op.outcome != ANNALS_STORE_OK) {
    return store_error(page, &page->get.op);
  }
  struct annals_execution execution;
  bool ok = annals_execution_read(page->get.record, &execution);
  g_clear_pointer(&page->get.record, g_bytes_unref);
  if (!ok) {
    return annals_history_damage_error("the execution's record");
  }
  *ret_seconds = execution.start_seconds;
  *ret_nanos = execution.start_nanos;
  annals_execution_clear(&execution);
  return NULL;
}

/* What is wrong with the token comes before what is wrong with the events. */
static void finish_verify(struct annals_page *page) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  GError *error = record_start(page, &seconds, &nanos);
  annals_history_name_damaged(error, page->request.execution_arn);
  if (error == NULL && (seconds != page->start_seconds || nanos != page->start_nanos)) {
    error = annals_error_new(ANNALS_REASON_INVALID_TOKEN,
                             "next_token belongs to an earlier execution of this name");
  }
  if (error != NULL) {
    g_clear_error(&page->error);
    page->error = error;
    annals_page_drop_events(page);
    page->event_count = 0;
  }
}

static void finish_read(struct annals_page *page) {
  if (page->abandoned) {
    page->error = annals_cancel_error(page->cancel);
  } else if (page->read.op.outcome != ANNALS_STORE_OK) {
    page->error = store_error(page, &page->read.op);
  } else if (page->events.failed) {
    page->error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this page");
  } else if (page->damaged) {
    page->error = annals_history_damage_error("an event of the history");
  }
  annals_history_name_damaged(page->error, page->request.execution_arn);
}

static void write_token(struct annals_page *page) {
  struct annals_page_token token = {
      .issued_at_ms = annals_history_now_us(page->history) / 1000,
      .start_seconds = page->start_seconds,
      .start_nanos = page->start_nanos,
      .reverse_order = page->request.reverse_order,
      .include_execution_data = page->request.include_execution_data,
      .next_event_id = page->next_id,
  };
  page->next_token = annals_page_token_write(annals_history_options(page->history)->token_key,
                                             page->request.execution_arn, &token);
}

/* Starts the step that is next. */
static bool start_step(struct annals_page *page) {
  switch ((enum step)page->step) {
    case STEP_READ:
      return start_read(page);
    case STEP_KEY:
      return start_key(page);
    case STEP_TIME:
    case STEP_VERIFY:
      break;
  }
  return start_get(page);
}

/* The page is made, or cannot be. */
static bool finish_page(struct annals_page *page) {
  if (page->error == NULL && page->more) {
    write_token(page);
  }
  return false;
}

/* There are events, or reasons why not. */
static bool finish_events(struct annals_page *page) {
  bool found = !page->abandoned && page->read.op.outcome == ANNALS_STORE_OK;
  if (page->request.next_token != NULL && found) {
    page->step = STEP_VERIFY;
    return true;
  }
  return finish_page(page);
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_page *page) {
  switch ((enum step)page->step) {
    case STEP_READ:
      finish_read(page);
      if (page->error == NULL && !page->more && annals_decryptor_needs_key(&page->decryptor)) {
        page->step = STEP_KEY;
        return true;
      }
      if (page->error == NULL && page->more && !page->start_known) {
        page->step = STEP_TIME;
        return true;
      }
      return finish_events(page);
    case STEP_KEY:
      page->error = annals_decryptor_take_key(&page->decryptor);
      page->step = STEP_READ;
      return page->error == NULL || finish_events(page);
    case STEP_TIME:
      page->error = record_start(page, &page->start_seconds, &page->start_nanos);
      annals_history_name_damaged(page->error, page->request.execution_arn);
      page->start_known = true;
      page->again = true;
      page->step = STEP_READ;
      return page->error == NULL;
    case STEP_VERIFY:
      finish_verify(page);
      return finish_page(page);
  }
  return false;
}

/* A step of the store has ended: goes on until one is pending or the page is made. */
static enum annals_progress advance(struct annals_page *page) {
  while (finish_step(page)) {
    if (annals_cancel_is_due(page->cancel)) {
      g_clear_error(&page->error);
      page->error = annals_cancel_error(page->cancel);
      return ANNALS_DONE;
    }
    if (!start_step(page)) {
      return ANNALS_PENDING;
    }
  }
  return ANNALS_DONE;
}

enum annals_progress annals_page_get(struct annals_history *history, struct annals_page *page) {
  page->history = history;
  annals_buffer_init(&page->events, ANNALS_PAGE_BUFFER_BYTES_MAX);
  annals_decryptor_begin(&page->decryptor, history, page->request.execution_arn);
  page->error = check_request(&page->request);
  if (page->error != NULL ||
      !annals_authorize(history, page->request.principal, ANNALS_ACTION_GET_EXECUTION_HISTORY,
                        page->request.execution_arn, &page->error)) {
    return ANNALS_DONE;
  }
  page->next_id = page->request.reverse_order ? INT64_MAX : 1;
  page->step = STEP_READ;
  if (page->request.next_token != NULL) {
    page->error = read_token(page);
    if (page->error != NULL) {
      return ANNALS_DONE;
    }
  }
  page->first_id = page->next_id;
  return start_step(page) ? advance(page) : ANNALS_PENDING;
}

void annals_page_clear(struct annals_page *page) {
  g_clear_error(&page->error);
  annals_page_drop_events(page);
  annals_buffer_clear(&page->events);
  annals_decryptor_clear(&page->decryptor);
  g_clear_pointer(&page->next_token, g_free);
}
