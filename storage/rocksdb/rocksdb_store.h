/*
 * The embedded storage engine: one directory, one process, RocksDB inside.
 *
 * Floor 1. Implements store.h; only main and tests include this. DESIGN.md, Storage, tells the
 * layout and why; key.h has it to the byte.
 *
 * What store.h leaves to an engine:
 *   Reads and cold tails are tried in the block cache on the caller's thread (DONE), and go on in
 *   the worker pool when a block is missing (PENDING).
 *   Appends of all callers are written in groups by one thread, with one fsync for each group.
 *   The first failed write stops all writes until the directory is opened again: after a failed
 *   fsync nobody knows what is on the disk. UNKNOWN for the appends of that group, UNAVAILABLE for
 *   all later ones.
 *   An append that breaks its own promise (event_count is not the number of frames) aborts.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_ROCKSDB_STORE_H_
#define ANNALS_STORAGE_ROCKSDB_ROCKSDB_STORE_H_

#include "storage/store.h"

G_BEGIN_DECLS

/* What tests put in place of the disk. Called on any thread, and concurrently. */
struct annals_rocksdb_hooks {
  /* The free bytes of the disk; NULL: what statvfs says. */
  uint64_t (*free_bytes)(void *data);
  /* Called on the writer's thread before each group is written; true makes the write fail. */
  bool (*fail_write)(void *data);
  void *data;
};

/* Who is told when the disk is nearly full, so that appends are refused, and when it has room
 * again. Only changes are told, on a thread of the engine, one after another. */
struct annals_rocksdb_on_room {
  void (*call)(void *context, bool full, uint64_t free_bytes);
  void *context;
};

enum annals_rocksdb_compression {
  ANNALS_ROCKSDB_ZSTD, /* of the last level; LZ4 above */
  ANNALS_ROCKSDB_LZ4,  /* of all levels */
  ANNALS_ROCKSDB_UNCOMPRESSED,
};

/* How the engine uses memory, disk and processors; 0 stands for the default. tuning.c has why. */
struct annals_rocksdb_tuning {
  uint64_t memory_bytes;     /* of all that follow up to the blank line; 256 MiB */
  uint64_t memtable_bytes;   /* what is written and not yet in files; a quarter of memory_bytes */
  uint64_t tail_table_bytes; /* ends of histories kept for appends; an eighth */
  uint64_t cache_bytes;      /* blocks of files, with their indexes, and half of it for runs as
                                they are sent; what is left */

  uint64_t block_bytes; /* what is read at once; 16 KiB */
  uint64_t blob_bytes;  /* runs of that size and more lie in files of their own; none do */
  enum annals_rocksdb_compression compression;
  int background_jobs;      /* flushes and compactions at once; by the number of processors */
  uint64_t background_rate; /* bytes a second that they write at most; no limit */
  int open_files;           /* 512 */
};

/* How far a migration is. */
struct annals_rocksdb_migration {
  int from_version;
  int to_version;
  bool done;
  const struct annals_store_verify_summary *summary; /* faults are what was not yet of to_version */
};

struct annals_rocksdb_options {
  const char *path;         /* the data directory; created if missing */
  bool from_backup;         /* it is a copy that nobody has opened yet */
  int worker_threads;       /* for what is not in the cache; 0: 4 */
  uint64_t min_free_bytes;  /* with less than this free on the disk appends get NO_SPACE; 0: none */
  const char *ballast_path; /* a file of this size on the same disk, made when there is room and
                               given back when half of min_free_bytes is left; NULL: none */
  uint64_t ballast_bytes;
  struct annals_rocksdb_on_room on_room; /* zero: nobody wants to know */
  struct annals_rocksdb_tuning tuning;
  struct annals_store_observer observer; /* is told of each group of writes */

  /* For a database of an older schema version, which is migrated before it is open. The auditor
   * says what records should be; NULL: such a database is refused. on_migration comes some times a
   * second with what was seen so far, and once when it is done; it returns whether to go on. */
  struct annals_store_auditor *auditor;
  bool (*on_migration)(void *data, const struct annals_rocksdb_migration *migration);
  void *migration_data;

  struct annals_rocksdb_hooks hooks; /* zero outside of tests */
};

enum annals_rocksdb_error {
  ANNALS_ROCKSDB_ERROR_IN_USE,  /* another process, or another store of this one, has it open */
  ANNALS_ROCKSDB_ERROR_DENIED,  /* the directory cannot be created, read or written */
  ANNALS_ROCKSDB_ERROR_CORRUPT, /* what is stored is damaged */
  ANNALS_ROCKSDB_ERROR_FOREIGN, /* not a store, or one of a schema version that this is not for */
  ANNALS_ROCKSDB_ERROR_FAILED,  /* all else */
};

#define ANNALS_ROCKSDB_ERROR annals_rocksdb_error_quark()
GQuark annals_rocksdb_error_quark(void);

/*
 * Opens the store in a directory, recovering what a crash left in the log.
 *
 * Memory: options are copied. ret_store is closed with its close operation.
 * Errors: ANNALS_ROCKSDB_ERROR, with one line that names the directory.
 * Cost: reads the whole write-ahead log, at most about 128 MiB. Starts 1 + worker_threads threads
 * besides RocksDB's own.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_open(const struct annals_rocksdb_options *options,
                         struct annals_store **ret_store, GError **error);

G_END_DECLS

#endif
