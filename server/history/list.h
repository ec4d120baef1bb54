/*
 * One page of the executions of a state machine, or of a map run.
 *
 * Floor 2. Source of the request's rules: AWS's model of ListExecutions.
 *
 * State machines and map runs are not kept: one that nobody has executed has no executions.
 *
 * Executions are in the order of their start, the latest first, and of their ARNs where that is the
 * same; so none changes its place. One that the filters select all the while that a listing is
 * paged through is seen exactly once, whatever happens to it and to others; one that starts, is
 * deleted or comes to be selected or not is seen once or not at all.
 */
#ifndef ANNALS_SERVER_HISTORY_LIST_H_
#define ANNALS_SERVER_HISTORY_LIST_H_

#include "proto/buffer.h"
#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/execution_record.h"
#include "server/history/history.h"
#include "server/history/page_token.h"

G_BEGIN_DECLS

enum {
  ANNALS_LIST_RESULTS_DEFAULT = 100,
  ANNALS_LIST_RESULTS_MAX = 1000,
  ANNALS_LIST_TOKEN_BYTES_MAX = 3096,
  ANNALS_LIST_BUFFER_BYTES_MAX = 16 * 1024 * 1024, /* of a page and the execution that ends it */
};

/* What is asked for, and by whom. NULL: absent. Filters are AWS's names (enum_name.h). */
struct annals_list_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  const char *state_machine_arn; /* also of a version or an alias; this one or map_run_arn */
  const char *map_run_arn;
  const char *status_filter;  /* of an annals.v1.ExecutionStatus; nobody has PENDING_REDRIVE */
  const char *redrive_filter; /* of an annals.v1.ExecutionRedriveFilter */
  int64_t max_results;        /* 0: the default */
  const char *next_token;
};

struct annals_list;

/*
 * Appends an execution to list->executions in the form the caller wants; list->execution_count
 * tells how many are there already. Returns false when the buffer has failed.
 */
typedef bool annals_list_encode_f(struct annals_list *list, const char *execution_arn,
                                  const struct annals_execution *execution);

/* One page being made, and the result. Zero it before use. */
struct annals_list {
  struct annals_list_request request;
  annals_list_encode_f *encode;
  void (*on_done)(struct annals_list *list);
  void *owner;                        /* the caller's own */
  const struct annals_cancel *cancel; /* whether anybody waits; NULL: always */

  GError *error;                   /* result: NULL, or why there is no page */
  struct annals_buffer executions; /* result: what encode made of the executions */
  int32_t execution_count;         /* result */
  char *next_token;                /* result: NULL on the last page */

  /* Private from here on. */
  struct annals_history *history;
  struct annals_store_list list;
  GPtrArray *names;                 /* of the store's lists that the page is merged from */
  struct annals_listing_token last; /* the page's last execution, or the one before the page */
  bool more;
  bool damaged;
  bool abandoned;
};

/*
 * Makes a page: at most max_results executions, those that started last first.
 *
 * Shape:  next_token exactly when there are more. At most the options' page_bytes_max bytes, but
 *         at least one execution.
 * Errors: INVALID_REQUEST (constraints, all of them, as violations), INVALID_ARN,
 *         PERMISSION_DENIED, INVALID_TOKEN, DATA_CORRUPTED, OVERLOADED, in this order of
 *         precedence; CANCELLED and DEADLINE_EXCEEDED as soon as nobody waits.
 * Memory: the caller clears the page when it is done with the result.
 * Cost:   follows the page, not the number of executions.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_list_run(struct annals_history *history, struct annals_list *list);

/* Frees the result. */
void annals_list_clear(struct annals_list *list);

G_END_DECLS

#endif
