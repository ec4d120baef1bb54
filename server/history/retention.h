/*
 * Deletes executions some time after they have ended.
 *
 * Floor 2. Passes do it, one after another, on a thread that may block. A pass goes through the
 * list of those who have ended (listing_place.h) once for each period that the policy has, and from
 * where the last one came to: each entry is looked at once for each period, however many there are,
 * and once more after a restart. Who ends before the place where a pass stands, by the times in
 * its events, has it go back there.
 *
 * Each execution is deleted as DeleteExecution does it, on condition that it still is as it was
 * looked at: what a redrive has opened again stays.
 */
#ifndef ANNALS_SERVER_HISTORY_RETENTION_H_
#define ANNALS_SERVER_HISTORY_RETENTION_H_

#include "server/history/history.h"
#include "server/history/retention_policy.h"

G_BEGIN_DECLS

/* What a pass has done. */
struct annals_retention_counts {
  int64_t deleted;
  int64_t kept;     /* they were due, but changed meanwhile */
  int64_t failed;   /* they cannot be deleted, as what is stored is damaged */
  int64_t examined; /* entries looked at */
};

struct annals_retention;

/*
 * Makes one without a policy, which deletes nothing.
 *
 * deletions_per_second: how fast passes are at most; 0: as fast as the store.
 * Memory: the caller frees it, when no pass is under way and before history.
 */
struct annals_retention *annals_retention_new(struct annals_history *history,
                                              int64_t deletions_per_second);
/* NULL is fine. */
void annals_retention_free(struct annals_retention *retention);

/* Has on_counts told of what passes do as they do it, a few executions at a time. Threads: the
 * pass's; set it before the first one. */
void annals_retention_observe(struct annals_retention *retention,
                              void (*on_counts)(void *context,
                                                const struct annals_retention_counts *more),
                              void *context);

/* Sets the policy from now on, also for a pass under way. Memory: takes it. Threads: any. */
void annals_retention_set_policy(struct annals_retention *retention,
                                 struct annals_retention_policy *policy);

/*
 * Deletes all that is due.
 *
 * Errors: NO_SPACE, WRITES_STOPPED, OUTCOME_UNKNOWN, OVERLOADED, DATA_CORRUPTED (of the list), with
 *   what has been done all the same in ret_counts; the next pass goes on where this one failed.
 * Threads: one at a time; it blocks.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_retention_pass(struct annals_retention *retention,
                           struct annals_retention_counts *ret_counts, GError **error);

/* Waits until the next pass should begin. Returns false when annals_retention_stop was called. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_retention_wait(struct annals_retention *retention);

/* Ends a pass or a wait under way, soon, and all later ones at once. Threads: any. */
void annals_retention_stop(struct annals_retention *retention);

G_END_DECLS

#endif
