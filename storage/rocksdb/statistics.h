/*
 * What the engine counts, and what it tells of itself and of RocksDB.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_STATISTICS_H_
#define ANNALS_STORAGE_ROCKSDB_STATISTICS_H_

#include <glib.h>
#include <stdint.h>

#include "storage/rocksdb/cursor.h"
#include "storage/rocksdb/status.h"
#include "storage/statistics.h"
#include "storage/store.h"

G_BEGIN_DECLS

struct annals_engine;

/* What the engine counts itself; atomic: g_atomic_pointer_add. */
struct annals_engine_counts {
  gsize corruptions;
  gsize memory_reads;
  gsize disk_reads;
  gsize block_hits;
  gsize block_misses;
};

/*
 * Counts a pass of an operation: where it came to an end, whether it met damage, and what blocks it
 * took from the cache and from files, which RocksDB counts for each thread anyway. Between begin
 * and end there is nothing but the pass, on one thread.
 *
 * Cost: some ten nanoseconds.
 */
struct annals_pass_count {
  uint64_t hits;
  uint64_t misses;
};
struct annals_pass_count annals_pass_count_begin(void);
void annals_pass_count_end(const struct annals_pass_count *count, enum annals_tier tier,
                           enum annals_status status, struct annals_engine_counts *counts);

/*
 * Gives all figures of figure.def.
 *
 * Cost: some hundred microseconds, and longer with tens of thousands of files; asks the file
 * system, and takes RocksDB's lock.
 */
void annals_engine_statistics(struct annals_engine *engine, enum annals_store_health health,
                              const struct annals_store_figures *figures);

G_END_DECLS

#endif
