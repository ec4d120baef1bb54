#include "server/ops/descriptors.h"

#include <sys/resource.h>

static int64_t count_of(rlim_t limit) {
  return limit > (rlim_t)G_MAXINT64 ? G_MAXINT64 : (int64_t)limit;
}

int64_t annals_descriptors_limit(void) {
  struct rlimit limit;
  int rc = getrlimit(RLIMIT_NOFILE, &limit);
  g_assert(rc == 0);
  return count_of(limit.rlim_cur);
}

int64_t annals_descriptors_raise(void) {
  struct rlimit limit;
  int rc = getrlimit(RLIMIT_NOFILE, &limit);
  g_assert(rc == 0);
  limit.rlim_cur = limit.rlim_max;
  /* Where that is not allowed after all, what was stays. */
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  return annals_descriptors_limit();
}
