#include "server/history/watchers.h"

#include <pthread.h>

struct annals_watched {
  char *arn;
  struct annals_watch_version version;
  unsigned watcher_count;
  GQueue waiting; /* links of watchers */
};

struct annals_watchers {
  pthread_mutex_t lock; /* of all below, and of what is in it */
  GHashTable *by_arn;   /* char * → struct annals_watched *; those not deleted */
  gint watched_count;   /* atomic, in by_arn: what a change needs no lock for */
};

struct annals_watchers *annals_watchers_new(void) {
  struct annals_watchers *watchers = g_new0(struct annals_watchers, 1);
  pthread_mutex_init(&watchers->lock, NULL);
  watchers->by_arn = g_hash_table_new(g_str_hash, g_str_equal);
  return watchers;
}

void annals_watchers_free(struct annals_watchers *watchers) {
  if (watchers == NULL) {
    return;
  }
  g_assert(g_hash_table_size(watchers->by_arn) == 0);
  g_hash_table_unref(watchers->by_arn);
  pthread_mutex_destroy(&watchers->lock);
  g_free(watchers);
}

static void forget(struct annals_watchers *watchers, struct annals_watched *watched) {
  g_hash_table_remove(watchers->by_arn, watched->arn);
  g_atomic_int_add(&watchers->watched_count, -1);
}

/* Finds what is watched under an ARN, or begins to. */
static struct annals_watched *watched_of(struct annals_watchers *watchers, const char *arn) {
  struct annals_watched *watched = g_hash_table_lookup(watchers->by_arn, arn);
  if (watched == NULL) {
    watched = g_new0(struct annals_watched, 1);
    watched->arn = g_strdup(arn);
    g_queue_init(&watched->waiting);
    g_hash_table_insert(watchers->by_arn, watched->arn, watched);
    g_atomic_int_add(&watchers->watched_count, 1);
  }
  return watched;
}

void annals_watchers_join(struct annals_watchers *watchers, struct annals_watcher *watcher,
                          const char *arn) {
  pthread_mutex_lock(&watchers->lock);
  watcher->link.data = watcher;
  watcher->watched = watched_of(watchers, arn);
  watcher->watched->watcher_count++;
  pthread_mutex_unlock(&watchers->lock);
}

void annals_watchers_leave(struct annals_watchers *watchers, struct annals_watcher *watcher) {
  struct annals_watched *watched = watcher->watched;
  if (watched == NULL) {
    return;
  }
  watcher->watched = NULL;
  pthread_mutex_lock(&watchers->lock);
  if (watcher->waiting) {
    watcher->waiting = false;
    g_queue_unlink(&watched->waiting, &watcher->link);
  }
  bool last = --watched->watcher_count == 0;
  if (last && !watched->version.deleted) {
    forget(watchers, watched);
  }
  pthread_mutex_unlock(&watchers->lock);
  if (last) {
    g_free(watched->arn);
    g_free(watched);
  }
}

struct annals_watch_version annals_watchers_version(struct annals_watchers *watchers,
                                                    const struct annals_watcher *watcher) {
  pthread_mutex_lock(&watchers->lock);
  struct annals_watch_version version = watcher->watched->version;
  pthread_mutex_unlock(&watchers->lock);
  return version;
}

bool annals_watchers_wait(struct annals_watchers *watchers, struct annals_watcher *watcher,
                          uint64_t changes) {
  struct annals_watched *watched = watcher->watched;
  pthread_mutex_lock(&watchers->lock);
  bool current = watched->version.changes == changes;
  if (current) {
    watcher->waiting = true;
    g_queue_push_tail_link(&watched->waiting, &watcher->link);
  }
  pthread_mutex_unlock(&watchers->lock);
  return current;
}

void annals_watchers_tell(struct annals_watchers *watchers, const char *arn, int64_t last_id) {
  /* Who joins after this has been read will read the store after the change. */
  if (g_atomic_int_get(&watchers->watched_count) == 0) {
    return;
  }
  pthread_mutex_lock(&watchers->lock);
  struct annals_watched *watched = g_hash_table_lookup(watchers->by_arn, arn);
  if (watched != NULL) {
    watched->version.changes++;
    watched->version.last_id = MAX(watched->version.last_id, last_id);
    if (last_id == 0) {
      watched->version.deleted = true;
      forget(watchers, watched);
    }
    GList *link;
    while ((link = g_queue_pop_head_link(&watched->waiting)) != NULL) {
      struct annals_watcher *watcher = link->data;
      watcher->waiting = false;
      watcher->on_change(watcher);
    }
  }
  pthread_mutex_unlock(&watchers->lock);
}
