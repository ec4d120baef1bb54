/*
 * Changes how the data keys of an execution are wrapped, or destroys them.
 *
 * Floor 2. Its events are not touched. Rewrapped, a data key is wrapped by the newest version of
 * the key that its record names, or by that which an alias names by now. Destroyed, it is gone, and
 * what it encrypts with it: readers are told KMS_INVALID_STATE, while the rest of the execution
 * stays. Appends are told the same, those under way, too: nothing follows what cannot be read. What
 * is in memory of a key that is destroyed is wiped at once, or when those let go who hold it.
 *
 * One at a time; what has begun goes on when nobody waits, until the key at hand is done.
 */
#ifndef ANNALS_SERVER_HISTORY_REKEY_H_
#define ANNALS_SERVER_HISTORY_REKEY_H_

#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/data_key_record.h"
#include "server/history/history.h"
#include "server/kms/key_provider.h"

G_BEGIN_DECLS

/* What is asked for, and by whom. */
struct annals_rekey_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  const char *execution_arn;                /* NULL: absent */
  bool destroy;                             /* or rewrap */
};

/* One under way, and the result. Zero it before use. */
struct annals_rekey {
  struct annals_rekey_request request;
  void (*on_done)(struct annals_rekey *rekey);
  void *owner;                        /* the caller's own */
  const struct annals_cancel *cancel; /* whether anybody waits; NULL: always */

  GError *error;     /* result: NULL, or why not all is done; what was done stays so */
  int64_t key_count; /* result: how many were changed; those that were destroyed before are not */

  /* Private from here on. */
  struct annals_history *history;
  int step;
  int64_t ordinal;      /* of the data key at hand */
  int64_t last_ordinal; /* of the history's last event */
  struct annals_store_tail tail;
  struct annals_store_get_data_key get;
  struct annals_data_key_record record;
  struct annals_key_call call;
  GBytes *new_record;
  struct annals_store_put_data_key put;
};

/*
 * Changes all data keys of an execution, in the order of their age.
 *
 * Errors: INVALID_REQUEST (also where the execution is not encrypted), INVALID_ARN,
 *         PERMISSION_DENIED, EXECUTION_DOES_NOT_EXIST, ALREADY_RUNNING, UNSUPPORTED, those of
 *         key_fetch.h, NO_SPACE, WRITES_STOPPED, OUTCOME_UNKNOWN, DATA_CORRUPTED; CANCELLED and
 *         DEADLINE_EXCEEDED when nobody waits.
 * Memory: the caller clears it when it is done with the result.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_rekey_run(struct annals_history *history, struct annals_rekey *rekey);

/* Frees what it holds. */
void annals_rekey_clear(struct annals_rekey *rekey);

G_END_DECLS

#endif
