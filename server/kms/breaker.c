#include "server/kms/breaker.h"

static void set(struct annals_breaker *breaker, enum annals_breaker_state state) {
  g_atomic_int_set(&breaker->state, (gint)state);
}

bool annals_breaker_admit(struct annals_breaker *breaker, int64_t now_us) {
  switch (annals_breaker_state(breaker)) {
    case ANNALS_BREAKER_CLOSED:
      return true;
    case ANNALS_BREAKER_OPEN:
      if (now_us < breaker->open_until_us) {
        return false;
      }
      set(breaker, ANNALS_BREAKER_HALF_OPEN);
      return true;
    default:
      return false;
  }
}

void annals_breaker_note(struct annals_breaker *breaker, bool works, int64_t now_us) {
  if (works) {
    breaker->failure_count = 0;
    set(breaker, ANNALS_BREAKER_CLOSED);
    return;
  }
  breaker->failure_count++;
  if (annals_breaker_state(breaker) == ANNALS_BREAKER_HALF_OPEN ||
      breaker->failure_count >= breaker->failures_max) {
    breaker->open_until_us = now_us + breaker->open_us;
    set(breaker, ANNALS_BREAKER_OPEN);
  }
}

enum annals_breaker_state annals_breaker_state(const struct annals_breaker *breaker) {
  return (enum annals_breaker_state)g_atomic_int_get(&breaker->state);
}
