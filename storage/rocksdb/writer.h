/*
 * Group commit: one thread that writes the appends and deletions of all callers.
 *
 *   push --> queue --> take a group --> check each against its tail --> one batch, one fsync
 *                                                  --> commit the tails --> complete each
 *
 * It never reads the disk and blocks on nothing but the write. While one group is being written the
 * next one gathers.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_WRITER_H_
#define ANNALS_STORAGE_ROCKSDB_WRITER_H_

#include <rocksdb/c.h>

#include "storage/rocksdb/deletion.h"
#include "storage/rocksdb/disk.h"
#include "storage/rocksdb/run_cache.h"
#include "storage/rocksdb/tail_table.h"
#include "storage/store.h"

G_BEGIN_DECLS

/* A data key's record to be put, which is as expected: checked since this moment. */
struct annals_data_key_change {
  struct annals_store_put_data_key *request;
  uint64_t since;
};

/* What is queued: an append, a deletion whose keys are collected, or a change of a data key. The
 * others are NULL. */
struct annals_write {
  struct annals_store_append *append;
  const struct annals_deletion *deletion;
  const struct annals_data_key_change *change;
  struct annals_tail_entry *entry; /* pinned; the writer unpins it */
  struct annals_write *next;
};

/* What a writer works with; all outlive it. */
struct annals_writer_parts {
  rocksdb_t *db;
  rocksdb_column_family_handle_t *history;
  rocksdb_column_family_handle_t *executions;
  rocksdb_column_family_handle_t *listings;
  struct annals_tail_table *tails;
  struct annals_run_cache *runs;
  const struct annals_disk *disk;
  struct annals_store_observer observer;
  /* Called on the writer's thread with the result in the append or deletion. */
  void (*complete)(struct annals_write *write);
};

struct annals_writer;

G_GNUC_WARN_UNUSED_RESULT
struct annals_writer *annals_writer_start(const struct annals_writer_parts *parts, GError **error);

/* Writes what is queued, then ends the thread and frees the writer. NULL is fine. */
void annals_writer_stop(struct annals_writer *writer);

/* Queues a write. Threads: any. Memory: write and all it points to live until it is completed. */
void annals_writer_push(struct annals_writer *writer, struct annals_write *write);

/* Tells how many writes wait. Threads: any. */
size_t annals_writer_queue_length(struct annals_writer *writer);

/* Tells whether a write has failed, and so all later ones do. Threads: any. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_writer_has_failed(struct annals_writer *writer);

G_END_DECLS

#endif
