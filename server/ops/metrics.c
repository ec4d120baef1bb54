#include "server/ops/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum metric_type { COUNTER, GAUGE, HISTOGRAM };
enum metric_unit { ONE, BYTES, SECONDS };

enum { BUCKETS_MAX = 18, MICROSECONDS = 1000000 };

struct metric_info {
  enum metric_type type;
  enum metric_unit unit;
  const char *name;
  const char *labels;
  const char *help;
};

static const struct metric_info infos[ANNALS_METRIC_COUNT] = {
#define ANNALS_METRIC(id, type, unit, name, labels, help) {type, unit, name, labels, help},
#include "server/ops/metric.def"
#undef ANNALS_METRIC
};

/* Upper bounds, ended by 0. Of what is asked for most often: pages from memory take some hundred
 * microseconds, fsyncs some milliseconds, and a disk that fails takes seconds. */
static const int64_t bounds[][BUCKETS_MAX] = {
    [ONE] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096},
    [BYTES] = {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216},
    [SECONDS] = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
                 1000000, 2500000, 5000000, 10000000, 30000000},
};

struct annals_series {
  enum metric_unit unit;
  char *labels;               /* a="b",c="d" */
  _Atomic int64_t value;      /* of a histogram the sum */
  _Atomic uint64_t buckets[]; /* of a histogram, not cumulated, and one more: beyond all bounds */
};

struct source {
  void (*sample)(void *context);
  void *context;
};

struct annals_metrics {
  pthread_mutex_t lock;                       /* of the tables; a leaf */
  GHashTable *by_labels[ANNALS_METRIC_COUNT]; /* labels → struct annals_series */
  GPtrArray *series[ANNALS_METRIC_COUNT];     /* in the order they were made */
  pthread_mutex_t sources_lock; /* held while sources sample, outside of lock and of theirs */
  GArray *sources;
};

/* --- series --- */

static void series_free(gpointer data) {
  struct annals_series *series = data;
  g_free(series->labels);
  g_free(series);
}

static void append_escaped(GString *out, const char *text, const char *escaped) {
  for (; *text != '\0'; text++) {
    if (*text == '\n') {
      g_string_append(out, "\\n");
      continue;
    }
    if (strchr(escaped, *text) != NULL) {
      g_string_append_c(out, '\\');
    }
    g_string_append_c(out, *text);
  }
}

static char *labels_text(const struct metric_info *info, const char *const *values) {
  GString *out = g_string_new(NULL);
  g_auto(GStrv) names = g_strsplit(info->labels, ",", -1);
  for (size_t i = 0; names[i] != NULL; i++) {
    g_string_append_printf(out, "%s%s=\"", i == 0 ? "" : ",", names[i]);
    append_escaped(out, values[i], "\\\"");
    g_string_append_c(out, '"');
  }
  return g_string_free(out, FALSE);
}

static struct annals_series *series_new(const struct metric_info *info, const char *labels) {
  size_t buckets = info->type == HISTOGRAM ? BUCKETS_MAX + 1 : 0;
  struct annals_series *series =
      g_malloc0(sizeof(struct annals_series) + buckets * sizeof(series->buckets[0]));
  series->unit = info->unit;
  series->labels = g_strdup(labels);
  return series;
}

struct annals_series *annals_metrics_series(struct annals_metrics *metrics,
                                            enum annals_metric metric, const char *const *values) {
  if (metrics == NULL) {
    return NULL;
  }
  g_autofree char *labels = labels_text(&infos[metric], values);
  pthread_mutex_lock(&metrics->lock);
  struct annals_series *series = g_hash_table_lookup(metrics->by_labels[metric], labels);
  if (series == NULL) {
    series = series_new(&infos[metric], labels);
    g_hash_table_insert(metrics->by_labels[metric], series->labels, series);
    g_ptr_array_add(metrics->series[metric], series);
  }
  pthread_mutex_unlock(&metrics->lock);
  return series;
}

void annals_series_add(struct annals_series *series, int64_t amount) {
  if (series != NULL) {
    atomic_fetch_add_explicit(&series->value, amount, memory_order_relaxed);
  }
}

void annals_series_set(struct annals_series *series, int64_t value) {
  if (series != NULL) {
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
  }
}

void annals_series_observe(struct annals_series *series, int64_t value) {
  if (series == NULL) {
    return;
  }
  const int64_t *bound = bounds[series->unit];
  size_t i = 0;
  while (bound[i] != 0 && value > bound[i]) {
    i++;
  }
  atomic_fetch_add_explicit(&series->value, value, memory_order_relaxed);
  atomic_fetch_add_explicit(&series->buckets[i], 1, memory_order_relaxed);
}

void annals_metrics_set(struct annals_metrics *metrics, enum annals_metric metric,
                        const char *const *values, int64_t value) {
  annals_series_set(annals_metrics_series(metrics, metric, values), value);
}

/* --- the registry --- */

struct annals_metrics *annals_metrics_new(void) {
  struct annals_metrics *metrics = g_new0(struct annals_metrics, 1);
  pthread_mutex_init(&metrics->lock, NULL);
  pthread_mutex_init(&metrics->sources_lock, NULL);
  metrics->sources = g_array_new(FALSE, FALSE, sizeof(struct source));
  for (int i = 0; i < ANNALS_METRIC_COUNT; i++) {
    metrics->by_labels[i] = g_hash_table_new(g_str_hash, g_str_equal);
    metrics->series[i] = g_ptr_array_new_with_free_func(series_free);
    if (infos[i].type != GAUGE && *infos[i].labels == '\0') {
      (void)annals_metrics_series(metrics, (enum annals_metric)i, NULL);
    }
  }
  return metrics;
}

void annals_metrics_free(struct annals_metrics *metrics) {
  if (metrics == NULL) {
    return;
  }
  for (int i = 0; i < ANNALS_METRIC_COUNT; i++) {
    g_hash_table_unref(metrics->by_labels[i]);
    g_ptr_array_unref(metrics->series[i]);
  }
  g_array_unref(metrics->sources);
  pthread_mutex_destroy(&metrics->sources_lock);
  pthread_mutex_destroy(&metrics->lock);
  g_free(metrics);
}

void annals_metrics_add_source(struct annals_metrics *metrics, void (*sample)(void *context),
                               void *context) {
  if (metrics != NULL) {
    const struct source source = {.sample = sample, .context = context};
    pthread_mutex_lock(&metrics->sources_lock);
    g_array_append_val(metrics->sources, source);
    pthread_mutex_unlock(&metrics->sources_lock);
  }
}

void annals_metrics_remove_source(struct annals_metrics *metrics, void *context) {
  if (metrics == NULL) {
    return;
  }
  pthread_mutex_lock(&metrics->sources_lock);
  for (guint i = metrics->sources->len; i > 0; i--) {
    if (g_array_index(metrics->sources, struct source, i - 1).context == context) {
      g_array_remove_index(metrics->sources, i - 1);
    }
  }
  pthread_mutex_unlock(&metrics->sources_lock);
}

/* --- the text --- */

/* Microseconds come out as seconds, without zeros that say nothing. */
static void append_number(GString *out, enum metric_unit unit, int64_t value) {
  if (unit != SECONDS) {
    g_string_append_printf(out, "%" G_GINT64_FORMAT, value);
    return;
  }
  if (value < 0) {
    g_string_append_c(out, '-');
  }
  uint64_t us = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  g_string_append_printf(out, "%" G_GUINT64_FORMAT, us / MICROSECONDS);
  if (us % MICROSECONDS != 0) {
    g_string_append_printf(out, ".%06" G_GUINT64_FORMAT, us % MICROSECONDS);
    while (out->str[out->len - 1] == '0') {
      g_string_truncate(out, out->len - 1);
    }
  }
}

static void append_bucket(GString *out, const struct metric_info *info,
                          const struct annals_series *series, int64_t bound, uint64_t count) {
  g_string_append_printf(out, "%s_bucket{%s%sle=\"", info->name, series->labels,
                         *series->labels == '\0' ? "" : ",");
  if (bound != 0) {
    append_number(out, info->unit, bound);
  } else {
    g_string_append(out, "+Inf");
  }
  g_string_append_printf(out, "\"} %" G_GUINT64_FORMAT "\n", count);
}

static void append_name(GString *out, const struct metric_info *info, const char *suffix,
                        const struct annals_series *series) {
  g_string_append_printf(out, "%s%s", info->name, suffix);
  if (*series->labels != '\0') {
    g_string_append_printf(out, "{%s}", series->labels);
  }
  g_string_append_c(out, ' ');
}

/* The count is that of the buckets, whatever is observed meanwhile. */
static void append_histogram(GString *out, const struct metric_info *info,
                             struct annals_series *series) {
  const int64_t *bound = bounds[info->unit];
  uint64_t count = 0;
  size_t i = 0;
  do {
    count += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
    append_bucket(out, info, series, bound[i], count);
  } while (bound[i++] != 0);
  append_name(out, info, "_sum", series);
  append_number(out, info->unit, atomic_load_explicit(&series->value, memory_order_relaxed));
  g_string_append_c(out, '\n');
  append_name(out, info, "_count", series);
  g_string_append_printf(out, "%" G_GUINT64_FORMAT "\n", count);
}

static void append_metric(GString *out, const struct metric_info *info, const GPtrArray *series) {
  static const char *const types[] = {"counter", "gauge", "histogram"};
  if (series->len == 0) {
    return;
  }
  g_string_append_printf(out, "# HELP %s ", info->name);
  append_escaped(out, info->help, "\\");
  g_string_append_printf(out, "\n# TYPE %s %s\n", info->name, types[info->type]);
  for (guint i = 0; i < series->len; i++) {
    struct annals_series *one = series->pdata[i];
    if (info->type == HISTOGRAM) {
      append_histogram(out, info, one);
      continue;
    }
    append_name(out, info, "", one);
    append_number(out, info->unit, atomic_load_explicit(&one->value, memory_order_relaxed));
    g_string_append_c(out, '\n');
  }
}

GString *annals_metrics_text(struct annals_metrics *metrics) {
  pthread_mutex_lock(&metrics->sources_lock);
  for (guint i = 0; i < metrics->sources->len; i++) {
    const struct source *source = &g_array_index(metrics->sources, struct source, i);
    source->sample(source->context);
  }
  pthread_mutex_unlock(&metrics->sources_lock);
  GString *out = g_string_sized_new(64 * 1024);
  pthread_mutex_lock(&metrics->lock);
  for (int i = 0; i < ANNALS_METRIC_COUNT; i++) {
    append_metric(out, &infos[i], metrics->series[i]);
  }
  pthread_mutex_unlock(&metrics->lock);
  return out;
}
