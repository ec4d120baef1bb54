#include "storage/rocksdb/disk_watch.h"

#include <pthread.h>
#include <time.h>

enum {
  /* A disk that takes a gigabyte a second loses 50 MiB meanwhile. */
  LOOK_MS = 50,
  /* So many looks in a row find room before it is told: flushes and compactions come and go. */
  LOOKS_TO_BE_SURE = 20,
  SLACK_PART = 8,
};

struct annals_disk_watch {
  struct annals_disk_watch_parts parts;
  pthread_t thread;
  bool starved;     /* others have taken the disk */
  bool paused;      /* compactions are */
  int looks_enough; /* in a row that found room for them */
  bool full;        /* as was told last */
  int looks;        /* in a row that found room */

  pthread_mutex_t lock; /* of all below; a leaf */
  pthread_cond_t changed;
  bool stopping;
};

static uint64_t free_bytes(const struct annals_disk_watch *watch) {
  return annals_disk_free_bytes(watch->parts.disk, watch->parts.disk->path);
}

static void tell(struct annals_disk_watch *watch, bool full) {
  const struct annals_rocksdb_on_room *on_room = &watch->parts.on_room;
  watch->full = full;
  if (on_room->call != NULL) {
    on_room->call(on_room->context, full, free_bytes(watch));
  }
}

/*
 * A disk that others fill is not written to any more, not even to say so in RocksDB's own log: from
 * the moment when the ballast is given back until they have freed more than it gave. The quarter is
 * for what appends took of the mark before they were refused.
 */
static bool is_starved(const struct annals_disk_watch *watch, enum annals_disk_room room) {
  const struct annals_disk *disk = watch->parts.disk;
  const uint64_t enough = annals_disk_needed_bytes(disk) - disk->min_free_bytes / 4;
  return room == ANNALS_DISK_NO_ROOM || (watch->starved && free_bytes(watch) < enough);
}

static void look_at_compactions(struct annals_disk_watch *watch, enum annals_disk_room room) {
  const struct annals_disk_watch_parts *parts = &watch->parts;
  uint64_t needed = parts->compaction_bytes_max(parts->context);
  watch->starved = is_starved(watch, room);
  bool enough =
      !watch->starved && free_bytes(watch) >= needed + (watch->paused ? needed / SLACK_PART : 0);
  watch->looks_enough = enough ? watch->looks_enough + 1 : 0;
  if (watch->paused ? watch->looks_enough == LOOKS_TO_BE_SURE : !enough) {
    watch->paused = !watch->paused;
    parts->pause_compactions(parts->context, watch->paused);
  }
}

static void look(struct annals_disk_watch *watch) {
  enum annals_disk_room room = annals_disk_look(watch->parts.disk);
  bool full = room != ANNALS_DISK_FOR_ALL;
  watch->looks = full ? 0 : watch->looks + 1;
  look_at_compactions(watch, room);
  if (!watch->paused) {
    watch->parts.flush_deletions(watch->parts.context);
  }
  if (full && !watch->full) {
    tell(watch, true);
  } else if (watch->full && watch->looks == LOOKS_TO_BE_SURE) {
    tell(watch, false);
  }
}

/* Returns whether to look again. */
static bool wait_to_look(struct annals_disk_watch *watch) {
  int64_t at_us = g_get_monotonic_time() + LOOK_MS * 1000;
  struct timespec at = {
      .tv_sec = at_us / G_USEC_PER_SEC,
      .tv_nsec = at_us % G_USEC_PER_SEC * 1000,
  };
  pthread_mutex_lock(&watch->lock);
  while (!watch->stopping && g_get_monotonic_time() < at_us) {
    pthread_cond_timedwait(&watch->changed, &watch->lock, &at);
  }
  bool again = !watch->stopping;
  pthread_mutex_unlock(&watch->lock);
  return again;
}

static void *run(void *data) {
  struct annals_disk_watch *watch = data;
  do {
    look(watch);
  } while (wait_to_look(watch));
  return NULL;
}

static void watch_free(struct annals_disk_watch *watch) {
  pthread_cond_destroy(&watch->changed);
  pthread_mutex_destroy(&watch->lock);
  g_free(watch);
}

struct annals_disk_watch *annals_disk_watch_start(const struct annals_disk_watch_parts *parts,
                                                  GError **error) {
  struct annals_disk_watch *watch = g_new0(struct annals_disk_watch, 1);
  watch->parts = *parts;
  watch->paused = parts->paused;
  pthread_mutex_init(&watch->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&watch->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  int errnum = pthread_create(&watch->thread, NULL, run, watch);
  if (errnum != 0) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FAILED,
                "cannot start the thread that watches the disk: %s", g_strerror(errnum));
    watch_free(watch);
    return NULL;
  }
  pthread_setname_np(watch->thread, "annals-disk");
  return watch;
}

void annals_disk_watch_stop(struct annals_disk_watch *watch) {
  if (watch == NULL) {
    return;
  }
  pthread_mutex_lock(&watch->lock);
  watch->stopping = true;
  pthread_cond_signal(&watch->changed);
  pthread_mutex_unlock(&watch->lock);
  pthread_join(watch->thread, NULL);
  watch_free(watch);
}
