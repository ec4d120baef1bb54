/*
 * Whether there is room to write.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DISK_H_
#define ANNALS_STORAGE_ROCKSDB_DISK_H_

#include "storage/rocksdb/rocksdb_store.h"

G_BEGIN_DECLS

struct annals_disk {
  char *path;
  uint64_t min_free_bytes;
  struct annals_rocksdb_hooks hooks;
};

/* What there is room for. */
enum annals_disk_room {
  ANNALS_DISK_NO_ROOM,       /* less than half of min_free_bytes are free */
  ANNALS_DISK_FOR_DELETIONS, /* less than min_free_bytes */
  ANNALS_DISK_FOR_ALL,
};

/*
 * Tells what there is room for. A disk that does not say has room: the write will tell.
 *
 * A deletion writes some hundred bytes for each sealed run and place of its execution before
 * compactions give back what these took. Half of what appends leave free is enough for a hundred
 * thousand deletions at the default mark, and the other half keeps flushes and compactions going.
 *
 * Cost: a statvfs.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_disk_room annals_disk_room(const struct annals_disk *disk);

/*
 * Tells what is free for this process on the disk that path is on, UINT64_MAX if it does not say.
 * Hooks speak for all disks.
 */
G_GNUC_WARN_UNUSED_RESULT
uint64_t annals_disk_free_bytes(const struct annals_disk *disk, const char *path);

/* Tells how large the disk is; 0 if it does not say. */
G_GNUC_WARN_UNUSED_RESULT
uint64_t annals_disk_size_bytes(const struct annals_disk *disk);

G_END_DECLS

#endif
