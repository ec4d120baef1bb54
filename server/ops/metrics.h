/*
 * What is measured, and /metrics: counters, gauges and histograms in Prometheus' text format.
 *
 * Floor 1. metric.def has them all. Each is one series, or one for each combination of its labels'
 * values; a series is found once, by annals_metrics_series, and kept: counting is then an atomic
 * addition, on any thread, without a lock.
 *
 * To add one: a line in metric.def; a series where it is counted; a line in the table of metrics in
 * deploy/README.md, which a test compares. What can be read off elsewhere, such as the length of a
 * queue, is not counted but sampled: a source (annals_metrics_add_source) sets the series when
 * /metrics is asked for. storage/figure.def has what the store tells in this way.
 *
 * metrics NULL, and series NULL, which belongs to it: nothing is measured. Parts that can do
 * without metrics need no other care.
 */
#ifndef ANNALS_SERVER_OPS_METRICS_H_
#define ANNALS_SERVER_OPS_METRICS_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_metric {
#define ANNALS_METRIC(id, type, unit, name, labels, help) ANNALS_METRIC_##id,
#include "server/ops/metric.def"
#undef ANNALS_METRIC
  ANNALS_METRIC_COUNT,
};

enum { ANNALS_METRIC_LABELS_MAX = 4 };

struct annals_metrics;
struct annals_series;

/* Makes a registry in which counters and histograms without labels stand at 0. */
struct annals_metrics *annals_metrics_new(void);
/* NULL is fine. Its series are gone with it. */
void annals_metrics_free(struct annals_metrics *metrics);

/*
 * Finds the series of a metric with these values of its labels, or makes it, at 0.
 *
 * values: one for each label; NULL where it has none. Copied.
 * Memory: the registry's.
 * Threads: any.
 * Cost: a lock and a look-up: not for each call.
 */
struct annals_series *annals_metrics_series(struct annals_metrics *metrics,
                                            enum annals_metric metric, const char *const *values);

/* Adds to a counter or a gauge; a gauge also takes what is negative. Threads: any, for all three.
 */
void annals_series_add(struct annals_series *series, int64_t amount);

/* Sets a gauge, or a counter that is kept elsewhere. Times are in microseconds. */
void annals_series_set(struct annals_series *series, int64_t value);

/* Takes an observation into a histogram. Times are in microseconds. */
void annals_series_observe(struct annals_series *series, int64_t value);

/* Sets the series of a metric, which is found first: for sources. */
void annals_metrics_set(struct annals_metrics *metrics, enum annals_metric metric,
                        const char *const *values, int64_t value);

/*
 * Has sample called whenever metrics are asked for, on the thread that asks, to set what it knows.
 * It must be quick: no disk, no waiting but for locks that are held shortly.
 *
 * Memory: context must outlive its use, which annals_metrics_remove_source ends; when that returns,
 * sample does not run any more. Threads: any.
 */
void annals_metrics_add_source(struct annals_metrics *metrics, void (*sample)(void *context),
                               void *context);
void annals_metrics_remove_source(struct annals_metrics *metrics, void *context);

#define ANNALS_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Asks the sources and writes all series.
 *
 * Shape: exposition format 0.0.4: for each metric that has a series # HELP, # TYPE and its series.
 * Memory: the caller frees the string. Threads: any.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
G_GNUC_WARN_UNUSED_RESULT
GString *annals_metrics_text(struct annals_metrics *metrics);

G_END_DECLS

#endif
