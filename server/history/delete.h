/*
 * The deletion of one execution: its history, its record and its places in listings.
 *
 * Floor 2.
 */
#ifndef ANNALS_SERVER_HISTORY_DELETE_H_
#define ANNALS_SERVER_HISTORY_DELETE_H_

#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/execution_record.h"
#include "server/history/history.h"
#include "server/history/listing_place.h"

G_BEGIN_DECLS

/* What is asked for, and by whom. */
struct annals_delete_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  const char *execution_arn;                /* NULL: absent */
};

/* One deletion under way, and the result. Zero it before use. */
struct annals_delete {
  struct annals_delete_request request;
  void (*on_done)(struct annals_delete *deletion);
  void *owner;                        /* the caller's own */
  const struct annals_cancel *cancel; /* whether anybody waits; NULL: always */
  /* Asked of the execution as it stands whether it is to go; NULL: it is. On any thread; quick. */
  bool (*wanted)(struct annals_delete *deletion, const struct annals_execution *execution);

  bool kept;     /* result: it was not wanted; error is NULL then */
  GError *error; /* result: NULL, or why the execution may still be there */

  /* Private from here on. */
  struct annals_history *history;
  int step;
  int attempts;
  int64_t last_id; /* of the history; 0: not known yet */
  struct annals_store_tail tail;
  struct annals_store_get get;
  struct annals_store_delete removal;
  struct annals_listing_places places;
  GBytes *record; /* that they are of */
};

/*
 * Deletes an execution, whatever its status. Its name is free again; page tokens of its history
 * are good no longer.
 *
 * Errors: INVALID_REQUEST, INVALID_ARN, PERMISSION_DENIED, EXECUTION_DOES_NOT_EXIST,
 *         WRITES_STOPPED, OUTCOME_UNKNOWN, DATA_CORRUPTED, OVERLOADED (others append all the time).
 *         CANCELLED and DEADLINE_EXCEEDED when nobody waits before the deletion is handed to the
 *         store.
 * Memory: the caller clears the deletion when it is done with the result.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_delete_run(struct annals_history *history,
                                       struct annals_delete *deletion);

/*
 * Deletes an execution because the server wants it: nobody is asked whether it may, and the
 * request, whose ARN is one that the store has given, is not checked. All else is the same.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_delete_run_own(struct annals_history *history,
                                           struct annals_delete *deletion);

/* Frees what the deletion holds. */
void annals_delete_clear(struct annals_delete *deletion);

G_END_DECLS

#endif
