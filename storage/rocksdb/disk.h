/*
 * Whether there is room to write, and the ballast that is given back when there is none.
 *
 *              free < half the mark                 free >= mark and ballast, and some
 *   ballast ─────────────────────────► given back ──────────────────────────────────► ballast
 *
 * What is given back is for RocksDB's flushes and compactions, and for deletions: appends need the
 * mark and as much as the ballast then.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DISK_H_
#define ANNALS_STORAGE_ROCKSDB_DISK_H_

#include "storage/rocksdb/rocksdb_store.h"

G_BEGIN_DECLS

struct annals_disk {
  char *path;
  uint64_t min_free_bytes; /* the mark */
  char *ballast_path;
  uint64_t ballast_bytes; /* 0: none */
  gint given_back;        /* the ballast is */
  struct annals_rocksdb_hooks hooks;
};

/* What there is room for. */
enum annals_disk_room {
  ANNALS_DISK_NO_ROOM,       /* less than half of min_free_bytes are free */
  ANNALS_DISK_FOR_DELETIONS, /* less than the mark, or than that and a ballast given back */
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

/* Tells how many bytes have to be free for appends. */
uint64_t annals_disk_needed_bytes(const struct annals_disk *disk);

/*
 * Takes up the ballast as it was left, and gives it back if there is no room to recover a store.
 * Before the store is opened.
 */
void annals_disk_begin(struct annals_disk *disk);

/*
 * Tells whether there is not even the room that opening a store takes: RocksDB's log, its MANIFEST
 * and a table with what was in the log. Any other trouble is left for the opening to tell.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_disk_is_full(const struct annals_disk *disk);

/*
 * Looks how much room there is, and gives the ballast back or makes it where that is due.
 *
 * Threads: one at a time, beside any that asks for room.
 */
enum annals_disk_room annals_disk_look(struct annals_disk *disk);

/*
 * Tells what is free for this process on the disk that path is on, UINT64_MAX if it does not say.
 * Hooks speak for all disks.
 */
G_GNUC_WARN_UNUSED_RESULT
uint64_t annals_disk_free_bytes(const struct annals_disk *disk, const char *path);

/* Tells how much the ballast takes, and how much it should: nothing without a mark. */
uint64_t annals_disk_ballast_bytes(const struct annals_disk *disk);
uint64_t annals_disk_ballast_wanted_bytes(const struct annals_disk *disk);

/* Tells how large the disk is; 0 if it does not say. */
G_GNUC_WARN_UNUSED_RESULT
uint64_t annals_disk_size_bytes(const struct annals_disk *disk);

G_END_DECLS

#endif
