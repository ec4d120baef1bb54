#include "server/ops/process_metrics.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/ops/descriptors.h"

/* Fields of /proc/self/stat behind the program's name, from 0: see proc(5). */
enum { STAT_THREADS = 17, STAT_START_TIME = 19 };

static int64_t to_us(struct timeval time) {
  return (int64_t)time.tv_sec * G_USEC_PER_SEC + time.tv_usec;
}

static void sample_cpu(struct annals_metrics *metrics) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    annals_metrics_set(metrics, ANNALS_METRIC_PROCESS_CPU_SECONDS, NULL,
                       to_us(usage.ru_utime) + to_us(usage.ru_stime));
  }
}

static void sample_memory(struct annals_metrics *metrics) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL)) {
    return;
  }
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  char *rest = text;
  int64_t virtual_pages = g_ascii_strtoll(rest, &rest, 10);
  int64_t resident_pages = g_ascii_strtoll(rest, &rest, 10);
  annals_metrics_set(metrics, ANNALS_METRIC_PROCESS_VIRTUAL_BYTES, NULL,
                     virtual_pages * page_bytes);
  annals_metrics_set(metrics, ANNALS_METRIC_PROCESS_RESIDENT_BYTES, NULL,
                     resident_pages * page_bytes);
}

/* When the machine started, in seconds since 1970; 0: it does not say. */
static int64_t boot_s(void) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents("/proc/stat", &text, NULL, NULL)) {
    return 0;
  }
  const char *line = strstr(text, "\nbtime ");
  return line == NULL ? 0 : g_ascii_strtoll(line + strlen("\nbtime "), NULL, 10);
}

static void sample_stat(struct annals_metrics *metrics) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents("/proc/self/stat", &text, NULL, NULL)) {
    return;
  }
  /* The name may hold anything, also what looks like the end of it. */
  const char *rest = strrchr(text, ')');
  g_auto(GStrv) fields = g_strsplit(rest == NULL ? "" : rest + 2, " ", STAT_START_TIME + 2);
  if (g_strv_length(fields) <= STAT_START_TIME) {
    return;
  }
  annals_metrics_set(metrics, ANNALS_METRIC_PROCESS_THREADS, NULL,
                     g_ascii_strtoll(fields[STAT_THREADS], NULL, 10));
  int64_t boot = boot_s();
  if (boot != 0) {
    int64_t ticks = g_ascii_strtoll(fields[STAT_START_TIME], NULL, 10);
    annals_metrics_set(metrics, ANNALS_METRIC_PROCESS_START_SECONDS, NULL,
                       boot * G_USEC_PER_SEC + ticks * G_USEC_PER_SEC / sysconf(_SC_CLK_TCK));
  }
}

static void sample_descriptors(struct annals_metrics *metrics) {
  int64_t count = -1; /* the one that reads the directory */
  GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
  if (dir == NULL) {
    return;
  }
  while (g_dir_read_name(dir) != NULL) {
    count++;
  }
  g_dir_close(dir);
  annals_metrics_set(metrics, ANNALS_METRIC_PROCESS_OPEN_FDS, NULL, count);
  annals_metrics_set(metrics, ANNALS_METRIC_PROCESS_MAX_FDS, NULL, annals_descriptors_limit());
}

static void sample(void *context) {
  struct annals_metrics *metrics = context;
  sample_cpu(metrics);
  sample_memory(metrics);
  sample_stat(metrics);
  sample_descriptors(metrics);
}

void annals_process_metrics_add(struct annals_metrics *metrics) {
  const char *const build[] = {ANNALS_VERSION, "gcc " __VERSION__};
  annals_metrics_set(metrics, ANNALS_METRIC_BUILD_INFO, build, 1);
  annals_metrics_add_source(metrics, sample, metrics);
}
