#include "server/retention_thread.h"

#include <pthread.h>

#include "server/history/error.h"
#include "server/history/retention.h"
#include "server/ops/log.h"
#include "server/retention_config.h"

struct annals_retention_thread {
  char *period; /* of the option */
  char *config; /* the configuration file; "": none */
  int64_t deletions_per_second;
  struct annals_retention_policy *policy; /* until it runs */
  struct annals_retention *retention;     /* NULL: it does not run */
  pthread_t thread;
  enum annals_reason problem; /* that ended the last pass, */
  bool has_problem;           /* if one did */

  struct annals_metrics *metrics;
  struct annals_series *deleted;
  struct annals_series *failed;
  struct annals_series *whole;
  struct annals_series *cut_short;
  gsize began_us; /* atomic: when the pass under way did, of the monotonic clock; 0: none is */
};

/* --- metrics --- */

static void sample(void *context) {
  struct annals_retention_thread *thread = context;
  int64_t began_us = (int64_t)(gsize)g_atomic_pointer_get(&thread->began_us);
  annals_metrics_set(thread->metrics, ANNALS_METRIC_RETENTION_PASS_SECONDS, NULL,
                     began_us == 0 ? 0 : g_get_monotonic_time() - began_us);
}

static void make_series(struct annals_retention_thread *thread, struct annals_metrics *metrics) {
  static const char *const whole[] = {"whole"};
  static const char *const cut_short[] = {"cut_short"};
  thread->metrics = metrics;
  thread->deleted = annals_metrics_series(metrics, ANNALS_METRIC_RETENTION_DELETED, NULL);
  thread->failed = annals_metrics_series(metrics, ANNALS_METRIC_RETENTION_FAILED, NULL);
  thread->whole = annals_metrics_series(metrics, ANNALS_METRIC_RETENTION_PASSES, whole);
  thread->cut_short = annals_metrics_series(metrics, ANNALS_METRIC_RETENTION_PASSES, cut_short);
}

/* A pass may take hours: the counters move as it goes. */
static void count(void *context, const struct annals_retention_counts *more) {
  struct annals_retention_thread *thread = context;
  annals_series_add(thread->deleted, more->deleted);
  annals_series_add(thread->failed, more->failed);
}

/* --- the thread --- */

static bool reload(void *context, GError **error) {
  struct annals_retention_thread *thread = context;
  struct annals_retention_policy *policy =
      annals_retention_config_read(thread->period, thread->config, error);
  if (policy == NULL) {
    return false;
  }
  annals_retention_set_policy(thread->retention, policy);
  return true;
}

struct annals_retention_thread *annals_retention_thread_new(const struct annals_options *options,
                                                            struct annals_reload *reload_list,
                                                            struct annals_metrics *metrics,
                                                            GError **error) {
  struct annals_retention_thread *thread = g_new0(struct annals_retention_thread, 1);
  thread->period = g_strdup(options->retention);
  thread->config = g_strdup(options->config);
  thread->deletions_per_second = options->retention_rate;
  make_series(thread, metrics);
  if (*thread->config != '\0') {
    const char *paths[] = {thread->config, NULL};
    annals_reload_add(reload_list, "retention periods", paths, reload, thread);
  }
  thread->policy = annals_retention_config_read(thread->period, thread->config, error);
  if (thread->policy == NULL) {
    annals_retention_thread_free(thread);
    return NULL;
  }
  return thread;
}

static bool run_pass(struct annals_retention_thread *thread,
                     struct annals_retention_counts *ret_counts, GError **error) {
  g_atomic_pointer_set(&thread->began_us, (gsize)g_get_monotonic_time());
  bool whole = annals_retention_pass(thread->retention, ret_counts, error);
  g_atomic_pointer_set(&thread->began_us, 0);
  annals_series_add(whole ? thread->whole : thread->cut_short, 1);
  return whole;
}

/* A pass that has found nothing to do is not told of but to those who look for it. */
static void log_pass(const struct annals_retention_counts *counts, int64_t duration_us) {
  enum annals_log_level level =
      counts->deleted + counts->kept + counts->failed > 0 ? ANNALS_LOG_INFO : ANNALS_LOG_DEBUG;
  ANNALS_LOG_AT(level, "retention pass", ANNALS_LOG_NUMBER("deleted", counts->deleted),
                ANNALS_LOG_NUMBER("kept", counts->kept),
                ANNALS_LOG_NUMBER("failed", counts->failed),
                ANNALS_LOG_NUMBER("examined", counts->examined),
                ANNALS_LOG_NUMBER("duration_ms", duration_us / 1000));
}

/* What lasts is said once: passes may come ten times a second. */
static void log_problem(struct annals_retention_thread *thread, const GError *error) {
  enum annals_reason reason = annals_error_reason(error);
  if (thread->has_problem && thread->problem == reason) {
    return;
  }
  thread->has_problem = true;
  thread->problem = reason;
  annals_log_warning("retention pass cut short",
                     ANNALS_LOG_TEXT("reason", annals_reason_info(reason)->name),
                     ANNALS_LOG_TEXT("error", annals_error_detail(error)));
}

static void *run(void *data) {
  struct annals_retention_thread *thread = data;
  do {
    g_autoptr(GError) error = NULL;
    struct annals_retention_counts counts;
    int64_t start_us = g_get_monotonic_time();
    bool whole = run_pass(thread, &counts, &error);
    log_pass(&counts, g_get_monotonic_time() - start_us);
    if (whole) {
      thread->has_problem = false;
    } else {
      log_problem(thread, error);
    }
  } while (annals_retention_wait(thread->retention));
  return NULL;
}

bool annals_retention_thread_start(struct annals_retention_thread *thread,
                                   struct annals_history *history, GError **error) {
  struct annals_retention *retention = annals_retention_new(history, thread->deletions_per_second);
  annals_retention_observe(retention, count, thread);
  annals_retention_set_policy(retention, g_steal_pointer(&thread->policy));
  thread->retention = retention;
  int errnum = pthread_create(&thread->thread, NULL, run, thread);
  if (errnum != 0) {
    g_set_error(error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN,
                "cannot start the retention thread: %s", g_strerror(errnum));
    g_clear_pointer(&thread->retention, annals_retention_free);
    return false;
  }
  pthread_setname_np(thread->thread, "annals-retain");
  annals_metrics_add_source(thread->metrics, sample, thread);
  return true;
}

void annals_retention_thread_free(struct annals_retention_thread *thread) {
  if (thread == NULL) {
    return;
  }
  if (thread->retention != NULL) {
    annals_metrics_remove_source(thread->metrics, thread);
    annals_retention_stop(thread->retention);
    pthread_join(thread->thread, NULL);
    annals_retention_free(thread->retention);
  }
  annals_retention_policy_free(thread->policy);
  g_free(thread->period);
  g_free(thread->config);
  g_free(thread);
}
