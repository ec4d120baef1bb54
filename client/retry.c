#include "client/retry.h"

enum {
  DELAY_MS_FIRST = 100,
  DELAY_MS_MAX = 5000,
  DOUBLINGS_MAX = 6, /* to more than DELAY_MS_MAX */
};

/* CANCELLED: not by this side. A server that cuts off what is under way says no more than that. */
static bool is_cut_off(const GError *error) {
  return error->code == ANNALS_CLIENT_CANCELLED;
}

bool annals_client_retry_delay(const GError *error, int failures, int64_t *ret_delay_ms) {
  int64_t asked_ms = 0;
  if (!annals_client_error_is_retriable(error, &asked_ms) && !is_cut_off(error)) {
    return false;
  }
  int64_t delay_ms = MIN((int64_t)DELAY_MS_FIRST << MIN(failures - 1, DOUBLINGS_MAX), DELAY_MS_MAX);
  delay_ms -= g_random_int_range(0, (gint32)delay_ms / 2 + 1);
  /* What the server asks for is the least; those who were asked for the same are spread behind. */
  *ret_delay_ms = asked_ms > 0 ? asked_ms + g_random_int_range(0, DELAY_MS_FIRST) : delay_ms;
  return true;
}
