/*
 * What a store tells of itself: figures when it is asked, and its writes as they happen.
 *
 * Floor 1. Whoever asks knows what to do with it; the store knows nothing of metrics.
 */
#ifndef ANNALS_STORAGE_STATISTICS_H_
#define ANNALS_STORAGE_STATISTICS_H_

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_store_figure {
#define ANNALS_STORE_FIGURE(id) ANNALS_STORE_FIGURE_##id,
#include "storage/figure.def"
#undef ANNALS_STORE_FIGURE
  ANNALS_STORE_FIGURE_COUNT,
};

/* Takes the figures that a store gives, each at most once with the same labels. To give them it may
 * wait for the disk. */
struct annals_store_figures {
  /* labels: as many as the figure has, to be copied; NULL: it has none. */
  void (*take)(void *context, enum annals_store_figure figure, const char *const *labels,
               int64_t value);
  void *context;
};

/* One group of writes that has been made durable, or has failed. */
struct annals_store_commit {
  size_t write_count; /* appends and deletions that changed something */
  size_t bytes;       /* written */
  int64_t duration_us;
};

/* Is told of writes, on the thread that makes them: must be quick. Threads: one at a time. */
struct annals_store_observer {
  void (*on_commit)(void *context, const struct annals_store_commit *commit); /* NULL: nobody */
  void *context; /* must outlive the store */
};

G_END_DECLS

#endif
