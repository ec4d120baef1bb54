#include "server/history/list.h"

#include <string.h>

#include "server/history/arn.h"
#include "server/history/constraint.h"
#include "server/history/error.h"
#include "server/history/listing_place.h"

/* Room that the answer needs beside its executions: the token and its framing. */
enum { ENVELOPE_BYTES = 1024 };

/* --- what is asked for --- */

/* In the order of the model's members. */
static GError *check_constraints(const struct annals_list_request *request) {
  GError *error = NULL;
  annals_constraint_length(&error, "state_machine_arn", request->state_machine_arn,
                           ANNALS_ARN_BYTES_MAX);
  annals_constraint_enum(&error, "status_filter", request->status_filter,
                         &annals_enum_execution_status);
  annals_constraint_max_results(&error, request->max_results, ANNALS_LIST_RESULTS_MAX);
  annals_constraint_length(&error, "next_token", request->next_token, ANNALS_LIST_TOKEN_BYTES_MAX);
  annals_constraint_length(&error, "map_run_arn", request->map_run_arn,
                           ANNALS_MAP_RUN_ARN_BYTES_MAX);
  annals_constraint_enum(&error, "redrive_filter", request->redrive_filter,
                         &annals_enum_redrive_filter);
  return error;
}

/*
 * Exactly one of the two says what is listed. The model does not say so: AWS looks at it behind the
 * model's constraints, and has this text for the first case.
 */
static GError *check_parent_count(const struct annals_list_request *request) {
  static const char must[] = "Must provide a StateMachine ARN or MapRun ARN";
  bool both = request->state_machine_arn != NULL && request->map_run_arn != NULL;
  if (!both && (request->state_machine_arn != NULL || request->map_run_arn != NULL)) {
    return NULL;
  }
  GError *error =
      annals_error_new(ANNALS_REASON_INVALID_REQUEST, both ? "%s, not both" : "%s", must);
  annals_error_add_metadata(error, "field", both ? "map_run_arn" : "state_machine_arn");
  return error;
}

static const char *parent_of(const struct annals_list_request *request) {
  return request->map_run_arn != NULL ? request->map_run_arn : request->state_machine_arn;
}

static GError *check_request(struct annals_history *history,
                             const struct annals_list_request *request) {
  GError *error = check_constraints(request);
  if (error == NULL) {
    error = check_parent_count(request);
  }
  if (error != NULL) {
    return error;
  }
  bool ok = request->map_run_arn != NULL
                ? annals_map_run_arn_check(request->map_run_arn, &error)
                : annals_any_state_machine_arn_check(request->state_machine_arn, &error);
  ok = ok && annals_authorize(history, request->principal, ANNALS_ACTION_LIST_EXECUTIONS,
                              parent_of(request), &error);
  return ok ? NULL : error;
}

/* All that a token is bound to. */
static char *arguments_of(const struct annals_list_request *request) {
  return g_strdup_printf("%s %s %s", parent_of(request),
                         request->status_filter != NULL ? request->status_filter : "",
                         request->redrive_filter != NULL ? request->redrive_filter : "");
}

static GError *read_token(struct annals_list *list) {
  g_autofree char *arguments = arguments_of(&list->request);
  if (!annals_listing_token_read(annals_history_options(list->history)->token_key, arguments,
                                 list->request.next_token, &list->last)) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN,
                            "next_token is not one that was given out for this listing");
  }
  if (annals_history_token_expired(list->history, list->last.issued_at_ms)) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN, "next_token has expired: start over");
  }
  return NULL;
}

static void write_token(struct annals_list *list) {
  g_autofree char *arguments = arguments_of(&list->request);
  list->last.issued_at_ms = annals_history_now_us(list->history) / 1000;
  list->next_token = annals_listing_token_write(annals_history_options(list->history)->token_key,
                                                arguments, &list->last);
}

/* Names the lists that the filters leave. None has executions that wait for a redrive. */
static GPtrArray *list_names(const struct annals_list_request *request) {
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  int wanted = annals_enum_number(&annals_enum_execution_status, request->status_filter);
  for (int status = ANNALS_STATUS_RUNNING; status <= ANNALS_STATUS_ABORTED; status++) {
    if (wanted != 0 && wanted != status) {
      continue;
    }
    if (g_strcmp0(request->redrive_filter, "NOT_REDRIVEN") != 0) {
      g_ptr_array_add(names, annals_listing_name(parent_of(request), status, true));
    }
    if (g_strcmp0(request->redrive_filter, "REDRIVEN") != 0) {
      g_ptr_array_add(names, annals_listing_name(parent_of(request), status, false));
    }
  }
  return names;
}

/* --- executions --- */

/* Encodes one execution, unless it is over the page's bytes; returns whether it is in the page. */
static bool put(struct annals_list *list, const struct annals_store_entry *entry,
                const struct annals_execution *execution) {
  size_t len = list->executions.len;
  if (!list->encode(list, entry->arn, execution)) {
    list->executions.failed = true;
    return false;
  }
  size_t bytes_max = annals_history_options(list->history)->page_bytes_max;
  if (list->execution_count > 0 && list->executions.len + ENVELOPE_BYTES > bytes_max) {
    list->executions.len = len;
    list->more = true;
    return false;
  }
  list->execution_count++;
  memcpy(list->last.rank, entry->rank, sizeof list->last.rank);
  g_strlcpy(list->last.execution_arn, entry->arn, sizeof list->last.execution_arn);
  return true;
}

static bool take_entry(struct annals_store_list *op, const struct annals_store_entry *entry) {
  struct annals_list *list = op->op.owner;
  int64_t max_results =
      list->request.max_results != 0 ? list->request.max_results : ANNALS_LIST_RESULTS_DEFAULT;
  if (annals_cancel_is_due(list->cancel)) {
    list->abandoned = true;
    return false;
  }
  if (list->execution_count == max_results) {
    list->more = true;
    return false;
  }
  struct annals_execution execution;
  g_autoptr(GBytes) record = g_bytes_new_static(entry->record, entry->record_bytes);
  if (!annals_execution_read(record, &execution)) {
    list->damaged = true;
    return false;
  }
  bool more = put(list, entry, &execution);
  annals_execution_clear(&execution);
  return more;
}

static void finish(struct annals_list *list) {
  const struct annals_store_op *op = &list->list.op;
  if (list->abandoned) {
    list->error = annals_cancel_error(list->cancel);
  } else if (op->outcome != ANNALS_STORE_OK) {
    list->error = annals_history_read_error(op);
  } else if (list->executions.failed) {
    list->error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this page");
  } else if (list->damaged) {
    list->error = annals_history_damage_error("an execution's record");
  } else if (list->more) {
    write_token(list);
  }
}

static void resume(struct annals_store_op *op) {
  struct annals_list *list = op->owner;
  finish(list);
  list->on_done(list);
}

static enum annals_progress start(struct annals_list *list) {
  struct annals_store *store = annals_history_options(list->history)->store;
  list->list = (struct annals_store_list){
      .op = {.on_done = resume, .owner = list},
      .lists = (const char *const *)list->names->pdata,
      .list_count = list->names->len,
      .after_arn = list->last.execution_arn,
      .on_entry = take_entry,
  };
  memcpy(list->list.after_rank, list->last.rank, sizeof list->list.after_rank);
  if (store->ops->list(store, &list->list) == ANNALS_STORE_PENDING) {
    return ANNALS_PENDING;
  }
  finish(list);
  return ANNALS_DONE;
}

enum annals_progress annals_list_run(struct annals_history *history, struct annals_list *list) {
  list->history = history;
  annals_buffer_init(&list->executions, ANNALS_LIST_BUFFER_BYTES_MAX);
  list->error = check_request(history, &list->request);
  if (list->error == NULL && list->request.next_token != NULL) {
    list->error = read_token(list);
  }
  if (list->error != NULL) {
    return ANNALS_DONE;
  }
  list->names = list_names(&list->request);
  return list->names->len > 0 ? start(list) : ANNALS_DONE;
}

void annals_list_clear(struct annals_list *list) {
  g_clear_error(&list->error);
  annals_buffer_clear(&list->executions);
  g_clear_pointer(&list->next_token, g_free);
  g_clear_pointer(&list->names, g_ptr_array_unref);
}
