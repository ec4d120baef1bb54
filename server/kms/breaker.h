/*
 * A circuit breaker: a service that failed several times in a row is left alone for a while, and
 * then tried by one call before all others.
 *
 * Floor 1. Threads: one, but for annals_breaker_state.
 *
 *               failures_max in a row              open_us later: one may try
 *     CLOSED ──────────────────────────▶ OPEN ──────────────────────────────▶ HALF_OPEN
 *       ▲                                 ▲  it failed                          │  │
 *       │                                 └─────────────────────────────────────┘  │
 *       └──────────────────────────────────────────────────────────────────────────┘  it did not
 */
#ifndef ANNALS_SERVER_KMS_BREAKER_H_
#define ANNALS_SERVER_KMS_BREAKER_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_breaker_state {
  ANNALS_BREAKER_CLOSED,
  ANNALS_BREAKER_HALF_OPEN,
  ANNALS_BREAKER_OPEN,
};

struct annals_breaker {
  int failures_max;
  int64_t open_us;

  gint state; /* atomic; one of the above; the rest is the breaker's own */
  int failure_count;
  int64_t open_until_us;
};

/* Tells whether a call may be made; then annals_breaker_note is to be called. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_breaker_admit(struct annals_breaker *breaker, int64_t now_us);

/* Takes note of how a call ended: whether the service works. It does when it says no to the caller;
 * not when it was not reached, or says that it failed itself. */
void annals_breaker_note(struct annals_breaker *breaker, bool works, int64_t now_us);

/* Threads: any. */
enum annals_breaker_state annals_breaker_state(const struct annals_breaker *breaker);

G_END_DECLS

#endif
