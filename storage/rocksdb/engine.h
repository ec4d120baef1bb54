/*
 * The engine's own struct, and the jobs that its threads pass on. open.c makes it, store.c is its
 * vtable.
 *
 * Locks: the engine's, the writer's, the workers', the tail table's and the run cache's. All are
 * leaves.
 *
 * Who is inside is counted: each operation while it runs on its caller's thread, and each job until
 * it is completed. close waits for all of them, so a job may outlive its caller's call and nobody
 * touches a closed engine.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_ENGINE_H_
#define ANNALS_STORAGE_ROCKSDB_ENGINE_H_

#include <pthread.h>
#include <rocksdb/c.h>

#include "storage/rocksdb/database.h"
#include "storage/rocksdb/deletion.h"
#include "storage/rocksdb/disk.h"
#include "storage/rocksdb/disk_watch.h"
#include "storage/rocksdb/listing.h"
#include "storage/rocksdb/reader.h"
#include "storage/rocksdb/run_cache.h"
#include "storage/rocksdb/statistics.h"
#include "storage/rocksdb/tail_table.h"
#include "storage/rocksdb/workers.h"
#include "storage/rocksdb/writer.h"
#include "storage/store.h"

G_BEGIN_DECLS

struct annals_engine {
  struct annals_store store;
  rocksdb_t *db;
  rocksdb_column_family_handle_t *families[ANNALS_FAMILY_COUNT];
  rocksdb_readoptions_t *get_cached; /* of single keys */
  rocksdb_readoptions_t *get_any;
  struct annals_disk disk;
  gint damaged;            /* a table is, or a flush or compaction has failed: see damage.h */
  guint failures_forgiven; /* of flushes and compactions: see background.h */
  struct annals_disk_watch *watch; /* NULL: there is no mark to watch */
  uint64_t memtable_bytes;         /* of a family, at most */
  bool compactions_paused;         /* as the store was opened */
  gint deleted_kib;                /* of histories, whose deletion may be in memory yet */
  struct annals_tail_table *tails;
  struct annals_run_cache *runs;
  struct annals_writer *writer;
  struct annals_workers *workers;
  struct annals_memory_odds read_odds;
  struct annals_engine_counts counts;

  pthread_mutex_t lock; /* of all below */
  pthread_cond_t quiet;
  int64_t inside;
  bool closing;
  bool backing_up;
  bool verifying;
};

/* Work that an operation left behind. */
struct annals_job {
  struct annals_engine *engine;
  struct annals_store_op *op;
  void (*run)(struct annals_job *job); /* on a worker */
  GList link;                          /* of the workers' queue */

  struct annals_read_state read_state;  /* of a read */
  GByteArray *position;                 /* of a listing: behind which it goes on */
  struct annals_deletion deletion;      /* of a deletion */
  struct annals_data_key_change change; /* of a change of a data key */
  struct annals_write write;            /* of an append or one of these */
  struct annals_tail_entry *entry;      /* of those and a tail: what it waits for */
  bool once;                            /* nobody will want again what is read to load it */
  /* what to do when the entry is there and pinned for this job */
  void (*ready)(struct annals_job *job);
};

extern const struct annals_store_ops annals_engine_ops;

/* Where a record stands. */
struct annals_engine_key {
  enum annals_family family;
  const uint8_t *bytes;
  size_t size;
};

/* Gets a record; OK with NULL: there is none. Memory: the caller unrefs it; ret_detail has
 * ANNALS_STORE_DETAIL_BYTES. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_status annals_engine_get_record(struct annals_engine *engine,
                                            const struct annals_engine_key *key,
                                            enum annals_tier tier, GBytes **ret_record,
                                            char *ret_detail);

/* What open.c gives to the writer. */
void annals_engine_complete_write(struct annals_write *write);

/* Frees an engine that nobody is in. Parts that were never made may be missing. */
void annals_engine_free(struct annals_engine *engine);

G_END_DECLS

#endif
