#include "storage/rocksdb/statistics.h"

#include <glib/gstdio.h>

#include "storage/rocksdb/engine.h"

/* ---- counting ------------------------------------------------------------------------------ */

static void add(gsize *count, uint64_t amount) {
  if (amount > 0) {
    g_atomic_pointer_add(count, (gssize)amount);
  }
}

static struct annals_pass_count of_this_thread(void) {
  rocksdb_perfcontext_t *context = rocksdb_perfcontext_create();
  const struct annals_pass_count count = {
      .hits = rocksdb_perfcontext_metric(context, rocksdb_block_cache_hit_count),
      .misses = rocksdb_perfcontext_metric(context, rocksdb_block_read_count),
  };
  rocksdb_perfcontext_destroy(context);
  return count;
}

struct annals_pass_count annals_pass_count_begin(void) {
  return of_this_thread();
}

void annals_pass_count_end(const struct annals_pass_count *count, enum annals_tier tier,
                           enum annals_status status, struct annals_engine_counts *counts) {
  const struct annals_pass_count now = of_this_thread();
  add(&counts->block_hits, now.hits - count->hits);
  add(&counts->block_misses, now.misses - count->misses);
  add(&counts->corruptions, status == ANNALS_STATUS_CORRUPT || status == ANNALS_STATUS_UNREADABLE);
  if (status != ANNALS_STATUS_INCOMPLETE) {
    add(tier == ANNALS_TIER_CACHE ? &counts->memory_reads : &counts->disk_reads, 1);
  }
}

/* ---- telling ------------------------------------------------------------------------------- */

static void give(const struct annals_store_figures *figures, enum annals_store_figure figure,
                 const char *const *labels, uint64_t value) {
  figures->take(figures->context, figure, labels, (int64_t)MIN(value, (uint64_t)INT64_MAX));
}

static void give_counts(struct annals_engine_counts *counts,
                        const struct annals_store_figures *figures) {
  const char *const memory[] = {"memory"};
  const char *const disk[] = {"disk"};
#define COUNT(member) ((uint64_t)(gsize)g_atomic_pointer_get(&counts->member))
  give(figures, ANNALS_STORE_FIGURE_CORRUPTIONS, NULL, COUNT(corruptions));
  give(figures, ANNALS_STORE_FIGURE_READS, memory, COUNT(memory_reads));
  give(figures, ANNALS_STORE_FIGURE_READS, disk, COUNT(disk_reads));
  give(figures, ANNALS_STORE_FIGURE_BLOCK_CACHE_HITS, NULL, COUNT(block_hits));
  give(figures, ANNALS_STORE_FIGURE_BLOCK_CACHE_MISSES, NULL, COUNT(block_misses));
#undef COUNT
}

static void give_space(const struct annals_disk *disk, const struct annals_store_figures *figures) {
  uint64_t size = annals_disk_size_bytes(disk);
  if (size != 0) {
    give(figures, ANNALS_STORE_FIGURE_DISK_FREE_BYTES, NULL,
         annals_disk_free_bytes(disk, disk->path));
    give(figures, ANNALS_STORE_FIGURE_DISK_SIZE_BYTES, NULL, size);
  }
  give(figures, ANNALS_STORE_FIGURE_DISK_MIN_FREE_BYTES, NULL, disk->min_free_bytes);
  give(figures, ANNALS_STORE_FIGURE_BALLAST_BYTES, NULL, annals_disk_ballast_bytes(disk));
  give(figures, ANNALS_STORE_FIGURE_BALLAST_WANTED_BYTES, NULL,
       annals_disk_ballast_wanted_bytes(disk));
}

/* RocksDB has no property for it. */
static void give_wal(const struct annals_disk *disk, const struct annals_store_figures *figures) {
  GDir *dir = g_dir_open(disk->path, 0, NULL);
  uint64_t bytes = 0;
  if (dir == NULL) {
    return;
  }
  for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
    if (g_str_has_suffix(name, ".log")) {
      g_autofree char *path = g_build_filename(disk->path, name, NULL);
      GStatBuf status;
      bytes += g_stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
    }
  }
  g_dir_close(dir);
  give(figures, ANNALS_STORE_FIGURE_WAL_BYTES, NULL, bytes);
}

struct property {
  enum annals_store_figure figure;
  const char *name;
};

/* Of the database, or of what all families share; those are asked of one that has it. */
static const struct property database_properties[] = {
    {ANNALS_STORE_FIGURE_BLOCK_CACHE_BYTES, "rocksdb.block-cache-usage"},
    {ANNALS_STORE_FIGURE_BLOCK_CACHE_PINNED_BYTES, "rocksdb.block-cache-pinned-usage"},
    {ANNALS_STORE_FIGURE_BLOCK_CACHE_CAPACITY_BYTES, "rocksdb.block-cache-capacity"},
    {ANNALS_STORE_FIGURE_FLUSHES_RUNNING, "rocksdb.num-running-flushes"},
    {ANNALS_STORE_FIGURE_COMPACTIONS_RUNNING, "rocksdb.num-running-compactions"},
    {ANNALS_STORE_FIGURE_WRITE_STALLED, "rocksdb.is-write-stopped"},
    {ANNALS_STORE_FIGURE_DELAYED_WRITE_RATE, "rocksdb.actual-delayed-write-rate"},
    {ANNALS_STORE_FIGURE_BACKGROUND_ERRORS, "rocksdb.background-errors"},
};

static const struct property family_properties[] = {
    {ANNALS_STORE_FIGURE_MEMTABLE_BYTES, "rocksdb.cur-size-all-mem-tables"},
    {ANNALS_STORE_FIGURE_IMMUTABLE_MEMTABLES, "rocksdb.num-immutable-mem-table"},
    {ANNALS_STORE_FIGURE_COMPACTION_PENDING, "rocksdb.compaction-pending"},
    {ANNALS_STORE_FIGURE_COMPACTION_PENDING_BYTES, "rocksdb.estimate-pending-compaction-bytes"},
    {ANNALS_STORE_FIGURE_LIVE_DATA_BYTES, "rocksdb.estimate-live-data-size"},
    {ANNALS_STORE_FIGURE_KEYS, "rocksdb.estimate-num-keys"},
};

static void give_properties(rocksdb_t *db, rocksdb_column_family_handle_t *family,
                            const struct property *properties, size_t count,
                            const char *const *labels, const struct annals_store_figures *figures) {
  for (size_t i = 0; i < count; i++) {
    uint64_t value;
    if (rocksdb_property_int_cf(db, family, properties[i].name, &value) == 0) {
      give(figures, properties[i].figure, labels, value);
    }
  }
}

static void give_levels(rocksdb_column_family_metadata_t *family, const char *name,
                        const struct annals_store_figures *figures) {
  size_t count = rocksdb_column_family_metadata_get_level_count(family);
  for (size_t i = 0; i < count; i++) {
    rocksdb_level_metadata_t *level = rocksdb_column_family_metadata_get_level_metadata(family, i);
    g_autofree char *number = g_strdup_printf("%d", rocksdb_level_metadata_get_level(level));
    const char *const labels[] = {name, number};
    give(figures, ANNALS_STORE_FIGURE_LEVEL_FILES, labels,
         rocksdb_level_metadata_get_file_count(level));
    give(figures, ANNALS_STORE_FIGURE_LEVEL_BYTES, labels, rocksdb_level_metadata_get_size(level));
    rocksdb_level_metadata_destroy(level);
  }
}

static void give_family(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                        const struct annals_store_figures *figures) {
  rocksdb_column_family_metadata_t *family = rocksdb_get_column_family_metadata_cf(db, handle);
  char *name = rocksdb_column_family_metadata_get_name(family);
  const char *const labels[] = {name};
  give_properties(db, handle, family_properties, G_N_ELEMENTS(family_properties), labels, figures);
  give_levels(family, name, figures);
  rocksdb_free(name);
  rocksdb_column_family_metadata_destroy(family);
}

void annals_engine_statistics(struct annals_engine *engine, enum annals_store_health health,
                              const struct annals_store_figures *figures) {
  give(figures, ANNALS_STORE_FIGURE_WRITES_STOPPED, NULL, health == ANNALS_STORE_WRITES_STOPPED);
  give(figures, ANNALS_STORE_FIGURE_FULL, NULL, health == ANNALS_STORE_FULL);
  give(figures, ANNALS_STORE_FIGURE_WRITER_QUEUE, NULL, annals_writer_queue_length(engine->writer));
  give(figures, ANNALS_STORE_FIGURE_WORKER_QUEUE, NULL, annals_workers_waiting(engine->workers));
  give_counts(&engine->counts, figures);
  give_properties(engine->db, engine->families[ANNALS_FAMILY_HISTORY], database_properties,
                  G_N_ELEMENTS(database_properties), NULL, figures);
  for (int i = ANNALS_FAMILY_HISTORY; i < ANNALS_FAMILY_COUNT; i++) {
    give_family(engine->db, engine->families[i], figures);
  }
  give_space(&engine->disk, figures);
  give_wal(&engine->disk, figures);
}
