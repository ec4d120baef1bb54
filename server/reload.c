#include "server/reload.h"

#include <string.h>
#include <sys/stat.h>

#include "server/ops/log.h"

/* What tells one state of a file from another; all zero where there is none. */
struct stamp {
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec changed; /* content, owner or mode */
};

struct source {
  char *what;
  char **paths;
  struct stamp *stamps; /* one for each path */
  bool (*read)(void *context, GError **error);
  void *context;
  struct annals_series *successes;
  struct annals_series *failures;
  bool due;      /* what was read is not what is there */
  char *problem; /* why it could not be read; NULL: it could */
};

struct annals_reload {
  struct annals_metrics *metrics;
  GPtrArray *sources; /* struct source * */
};

static void free_source(gpointer data) {
  struct source *source = data;
  g_free(source->what);
  g_strfreev(source->paths);
  g_free(source->stamps);
  g_free(source->problem);
  g_free(source);
}

struct annals_reload *annals_reload_new(struct annals_metrics *metrics) {
  struct annals_reload *reload = g_new0(struct annals_reload, 1);
  reload->metrics = metrics;
  reload->sources = g_ptr_array_new_with_free_func(free_source);
  return reload;
}

void annals_reload_free(struct annals_reload *reload) {
  if (reload != NULL) {
    g_ptr_array_unref(reload->sources);
    g_free(reload);
  }
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b) {
  return a->device == b->device && a->inode == b->inode && a->size == b->size &&
         a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Renews the stamps; returns whether one is another than before. */
static bool look_at(struct source *source) {
  bool changed = false;
  for (size_t i = 0; source->paths[i] != NULL; i++) {
    struct stamp now = {0};
    struct stat status;
    if (stat(source->paths[i], &status) == 0) {
      now = (struct stamp){status.st_dev, status.st_ino, status.st_size, status.st_ctim};
    }
    changed = changed || !stamp_equal(&now, &source->stamps[i]);
    source->stamps[i] = now;
  }
  return changed;
}

void annals_reload_add(struct annals_reload *reload, const char *what, const char *const *paths,
                       bool (*read)(void *context, GError **error), void *context) {
  struct source *source = g_new0(struct source, 1);
  source->what = g_strdup(what);
  const char *const success[] = {what, "success"};
  const char *const failure[] = {what, "failure"};
  source->successes = annals_metrics_series(reload->metrics, ANNALS_METRIC_RELOADS, success);
  source->failures = annals_metrics_series(reload->metrics, ANNALS_METRIC_RELOADS, failure);
  source->paths = g_strdupv((char **)paths);
  source->stamps = g_new0(struct stamp, g_strv_length(source->paths));
  source->read = read;
  source->context = context;
  (void)look_at(source);
  g_ptr_array_add(reload->sources, source);
}

/* A failure that lasts is said once, unless somebody asks. */
static void read_source(struct source *source, bool asked) {
  g_autoptr(GError) error = NULL;
  source->due = !source->read(source->context, &error);
  annals_series_add(source->due ? source->failures : source->successes, 1);
  if (!source->due) {
    g_autofree char *message = g_strconcat(source->what, " reloaded", NULL);
    annals_log_write(ANNALS_LOG_INFO, message, NULL, 0);
  } else if (asked || g_strcmp0(source->problem, error->message) != 0) {
    g_autofree char *message = g_strconcat(source->what, " stay as they were", NULL);
    annals_log_error(message, ANNALS_LOG_TEXT("error", error->message));
  }
  g_free(source->problem);
  source->problem = error != NULL ? g_strdup(error->message) : NULL;
}

void annals_reload_look(struct annals_reload *reload, bool all) {
  for (guint i = 0; i < reload->sources->len; i++) {
    struct source *source = reload->sources->pdata[i];
    bool changed = look_at(source);
    source->due = source->due || changed;
    if (all || (source->due && !changed)) {
      read_source(source, all);
    }
  }
}
