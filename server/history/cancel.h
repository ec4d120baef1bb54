/*
 * Whether anybody still waits for the result of an operation.
 *
 * Floor 2. A transport keeps one for each call. Operations look at it between their steps and end
 * early, with CANCELLED or DEADLINE_EXCEEDED; what has been handed to the store goes on.
 *
 * Threads: any, for all functions.
 */
#ifndef ANNALS_SERVER_HISTORY_CANCEL_H_
#define ANNALS_SERVER_HISTORY_CANCEL_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Zeroed: somebody waits, for ever. */
struct annals_cancel {
  gint cancelled;      /* private, atomic */
  int64_t deadline_us; /* of g_get_monotonic_time(), set before it is shared; 0: none */
};

/* Says that nobody waits any more. */
void annals_cancel_now(struct annals_cancel *cancel);

/* Tells whether nobody waits any more, or not in time. NULL: somebody does. */
bool annals_cancel_is_due(const struct annals_cancel *cancel);

/*
 * Makes the failure of an operation that is due to end.
 * Errors: DEADLINE_EXCEEDED, CANCELLED.
 */
G_GNUC_WARN_UNUSED_RESULT
GError *annals_cancel_error(const struct annals_cancel *cancel);

G_END_DECLS

#endif
