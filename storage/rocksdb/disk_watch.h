/*
 * The thread that looks how much room the disk has, whoever takes it.
 *
 * The writer asks for itself before each group, so that nothing is written on an old answer; this
 * one is for what nobody asks about: others fill the disk while nothing is appended, and the
 * ballast has to go, or to come back.
 *
 * Compactions are not begun where one might not end (compaction.h).
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DISK_WATCH_H_
#define ANNALS_STORAGE_ROCKSDB_DISK_WATCH_H_

#include "storage/rocksdb/disk.h"

G_BEGIN_DECLS

struct annals_disk_watch;

/* What it works with; all outlive it. */
struct annals_disk_watch_parts {
  struct annals_disk *disk;
  struct annals_rocksdb_on_room on_room;
  /* Of compaction.h. */
  bool paused; /* compactions are, at first */
  uint64_t (*compaction_bytes_max)(void *context);
  void (*pause_compactions)(void *context, bool paused);
  void (*flush_deletions)(void *context);
  void *context;
};

/* Starts it. Errors: ANNALS_ROCKSDB_ERROR_FAILED. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_disk_watch *annals_disk_watch_start(const struct annals_disk_watch_parts *parts,
                                                  GError **error);

/* Stops it and frees it. NULL is fine. */
void annals_disk_watch_stop(struct annals_disk_watch *watch);

G_END_DECLS

#endif
