#include "server/history/cancel.h"

#include "server/history/error.h"

void annals_cancel_now(struct annals_cancel *cancel) {
  g_atomic_int_set(&cancel->cancelled, 1);
}

static bool has_passed(int64_t deadline_us) {
  return deadline_us != 0 && g_get_monotonic_time() >= deadline_us;
}

bool annals_cancel_is_due(const struct annals_cancel *cancel) {
  return cancel != NULL &&
         (g_atomic_int_get(&cancel->cancelled) != 0 || has_passed(cancel->deadline_us));
}

GError *annals_cancel_error(const struct annals_cancel *cancel) {
  return has_passed(cancel->deadline_us)
             ? annals_error_new(ANNALS_REASON_DEADLINE_EXCEEDED, "the call's deadline has passed")
             : annals_error_new(ANNALS_REASON_CANCELLED, "the client has cancelled the call");
}
