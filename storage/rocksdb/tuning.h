/*
 * How RocksDB is set up: one place for every choice, with its reason.
 *
 * Floor 1.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_TUNING_H_
#define ANNALS_STORAGE_ROCKSDB_TUNING_H_

#include <rocksdb/c.h>

#include "storage/rocksdb/engine.h"
#include "storage/rocksdb/rocksdb_store.h"

G_BEGIN_DECLS

/* What memory goes to, in bytes. */
struct annals_tuning_memory {
  uint64_t memtable_bytes;
  uint64_t tail_table_bytes;
  uint64_t cache_bytes; /* of blocks */
  uint64_t run_cache_bytes;
};

/* Shares out the memory. None is 0, unless the cache that was asked for is too small. */
struct annals_tuning_memory annals_tuning_memory(const struct annals_rocksdb_tuning *tuning);

/* Makes the options of all families; those of the first are the database's, too. The caller
 * destroys each. */
void annals_tuning_make_options(const struct annals_rocksdb_tuning *tuning,
                                rocksdb_options_t *ret_options[ANNALS_FAMILY_COUNT]);

G_END_DECLS

#endif
