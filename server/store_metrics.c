#include "server/store_metrics.h"

#include "server/ops/sampler.h"

enum { SAMPLE_TIMEOUT_MS = 500 };

struct annals_store_metrics {
  struct annals_metrics *metrics;
  struct annals_store *store;
  struct annals_sampler *sampler; /* NULL: not started */
  struct annals_series *commit_seconds;
  struct annals_series *commit_writes;
  struct annals_series *commit_bytes;
};

static const enum annals_metric metric_of[ANNALS_STORE_FIGURE_COUNT] = {
#define ANNALS_STORE_FIGURE(id) [ANNALS_STORE_FIGURE_##id] = ANNALS_METRIC_STORE_##id,
#include "storage/figure.def"
#undef ANNALS_STORE_FIGURE
};

struct annals_store_metrics *annals_store_metrics_new(struct annals_metrics *metrics) {
  struct annals_store_metrics *store_metrics = g_new0(struct annals_store_metrics, 1);
  *store_metrics = (struct annals_store_metrics){
      .metrics = metrics,
      .commit_seconds = annals_metrics_series(metrics, ANNALS_METRIC_STORE_COMMIT_SECONDS, NULL),
      .commit_writes = annals_metrics_series(metrics, ANNALS_METRIC_STORE_COMMIT_WRITES, NULL),
      .commit_bytes = annals_metrics_series(metrics, ANNALS_METRIC_STORE_COMMIT_BYTES, NULL),
  };
  return store_metrics;
}

void annals_store_metrics_free(struct annals_store_metrics *store_metrics) {
  annals_store_metrics_stop(store_metrics);
  g_free(store_metrics);
}

/* --- writes --- */

static void on_commit(void *context, const struct annals_store_commit *commit) {
  struct annals_store_metrics *store_metrics = context;
  annals_series_observe(store_metrics->commit_seconds, commit->duration_us);
  annals_series_observe(store_metrics->commit_writes, (int64_t)commit->write_count);
  annals_series_observe(store_metrics->commit_bytes, (int64_t)commit->bytes);
}

struct annals_store_observer annals_store_metrics_observer(
    struct annals_store_metrics *store_metrics) {
  return (struct annals_store_observer){.on_commit = on_commit, .context = store_metrics};
}

/* --- figures --- */

static void take(void *context, enum annals_store_figure figure, const char *const *labels,
                 int64_t value) {
  struct annals_store_metrics *store_metrics = context;
  annals_metrics_set(store_metrics->metrics, metric_of[figure], labels, value);
}

static void ask_store(void *context) {
  struct annals_store_metrics *store_metrics = context;
  const struct annals_store_figures figures = {.take = take, .context = store_metrics};
  store_metrics->store->ops->statistics(store_metrics->store, &figures);
}

static void sample(void *context) {
  struct annals_store_metrics *store_metrics = context;
  int64_t age_us = annals_sampler_run(store_metrics->sampler, SAMPLE_TIMEOUT_MS);
  if (age_us >= 0) {
    annals_metrics_set(store_metrics->metrics, ANNALS_METRIC_STORE_SAMPLE_AGE_SECONDS, NULL,
                       age_us);
  }
}

bool annals_store_metrics_start(struct annals_store_metrics *store_metrics,
                                struct annals_store *store, GError **error) {
  if (store->ops->statistics == NULL) {
    return true;
  }
  store_metrics->store = store;
  store_metrics->sampler = annals_sampler_new(ask_store, store_metrics, error);
  if (store_metrics->sampler == NULL) {
    return false;
  }
  annals_metrics_add_source(store_metrics->metrics, sample, store_metrics);
  return true;
}

void annals_store_metrics_stop(struct annals_store_metrics *store_metrics) {
  if (store_metrics != NULL) {
    annals_metrics_remove_source(store_metrics->metrics, store_metrics);
    g_clear_pointer(&store_metrics->sampler, annals_sampler_free);
  }
}
