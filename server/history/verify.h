/*
 * A check of the whole store, as operators ask for it.
 *
 * Floor 2. It runs on a thread of the engine's, with an auditor of its own. What it finds is queued
 * for the caller, who is told that there is something, and takes it when it can use it: the check
 * waits for one that does not.
 */
#ifndef ANNALS_SERVER_HISTORY_VERIFY_H_
#define ANNALS_SERVER_HISTORY_VERIFY_H_

#include <pthread.h>

#include "server/history/audit.h"
#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/history.h"

G_BEGIN_DECLS

/* What is asked for, and by whom. */
struct annals_verify_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  int64_t bytes_per_second;                 /* 0: 32 MiB */
};

/* Something that is not as it should be. Texts are owned. */
struct annals_verify_fault {
  char *file;
  char *part;
  char *execution_arn;
  int64_t event_id;
  char *text;
};

/* One check. Zero it before use. */
struct annals_verify {
  struct annals_verify_request request;
  void (*on_change)(struct annals_verify *verify); /* there is something to take: faults, or counts
                                                      after a second; from another thread */
  void (*on_done)(struct annals_verify *verify);   /* the last of it; once, if it is PENDING */
  void *owner;                                     /* the caller's own */
  const struct annals_cancel *cancel;              /* whether anybody waits; NULL: always */

  GError *error; /* result: NULL, or why not all was checked */

  /* Private from here on. */
  struct annals_store_verify store;
  struct annals_audit *audit;
  pthread_mutex_t lock; /* of what follows; ThreadSanitizer does not see GLib's */
  pthread_cond_t changed;
  GQueue faults;
  struct annals_store_verify_summary summary;
  int64_t told_us;
  bool begun;
  bool stopped;
};

/*
 * Begins a check. DONE: with an error, or all of it is over, and there is all to take.
 *
 * Errors: INVALID_REQUEST, PERMISSION_DENIED, RATE_EXCEEDED, UNSUPPORTED, ALREADY_RUNNING;
 *         CANCELLED and DEADLINE_EXCEEDED when nobody waits; INTERNAL. None for what is wrong with
 *         the store.
 * Memory: the caller clears it, not before on_done.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_verify_run(struct annals_history *history,
                                       struct annals_verify *verify);

/* Takes the next fault, which the caller clears. Returns whether there is one. Threads: any. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_verify_take(struct annals_verify *verify, struct annals_verify_fault *ret_fault);
void annals_verify_fault_clear(struct annals_verify_fault *fault);

/* Gives what has been counted so far. Threads: any. */
void annals_verify_get_summary(struct annals_verify *verify,
                               struct annals_store_verify_summary *ret_summary);

/* Has it end soon, whatever is left to take. Threads: any. */
void annals_verify_stop(struct annals_verify *verify);

void annals_verify_clear(struct annals_verify *verify);

G_END_DECLS

#endif
