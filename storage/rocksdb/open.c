#include <errno.h>
#include <string.h>

#include "storage/dir.h"
#include "storage/rocksdb/compaction.h"
#include "storage/rocksdb/job.h"
#include "storage/rocksdb/schema_version.h"
#include "storage/rocksdb/tuning.h"

enum { WORKER_THREADS_DEFAULT = 4 };

GQuark annals_rocksdb_error_quark(void) {
  return g_quark_from_static_string("annals-rocksdb-error");
}

static struct annals_engine *engine_new(const struct annals_rocksdb_options *options) {
  struct annals_engine *engine = g_new0(struct annals_engine, 1);
  engine->store.ops = &annals_engine_ops;
  engine->disk = (struct annals_disk){
      .path = g_strdup(options->path),
      .min_free_bytes = options->min_free_bytes,
      .ballast_path = g_strdup(options->ballast_path),
      .ballast_bytes = options->ballast_path != NULL ? options->ballast_bytes : 0,
      .hooks = options->hooks,
  };
  engine->get_any = rocksdb_readoptions_create();
  engine->get_cached = rocksdb_readoptions_create();
  annals_tier_apply(ANNALS_TIER_CACHE, engine->get_cached);
  pthread_mutex_init(&engine->lock, NULL);
  pthread_cond_init(&engine->quiet, NULL);
  return engine;
}

static bool open_database(struct annals_engine *engine,
                          const struct annals_rocksdb_options *options, GError **error) {
  struct annals_database database = {0};
  engine->compactions_paused = !annals_compaction_has_room(engine);
  const enum annals_database_mode mode = options->from_backup         ? ANNALS_DATABASE_BACKUP
                                         : engine->compactions_paused ? ANNALS_DATABASE_CALM
                                                                      : ANNALS_DATABASE_CREATE;
  bool ok = annals_database_open(options->path, &options->tuning, mode, &database, error) &&
            annals_schema_version_settle(&database, options, error);
  engine->db = database.db;
  engine->damaged = database.damaged;
  memcpy(engine->families, database.families, sizeof engine->families);
  return ok;
}

static uint64_t compaction_bytes_max(void *context) {
  return annals_compaction_bytes_max(context);
}

static void pause_compactions(void *context, bool paused) {
  annals_compaction_pause(context, paused);
}

static void flush_deletions(void *context) {
  annals_compaction_flush_deletions(context);
}

static bool start_watch(struct annals_engine *engine, const struct annals_rocksdb_options *options,
                        GError **error) {
  if (options->min_free_bytes == 0) {
    return true;
  }
  engine->watch = annals_disk_watch_start(
      &(struct annals_disk_watch_parts){
          .disk = &engine->disk,
          .on_room = options->on_room,
          .paused = engine->compactions_paused,
          .compaction_bytes_max = compaction_bytes_max,
          .pause_compactions = pause_compactions,
          .flush_deletions = flush_deletions,
          .context = engine,
      },
      error);
  return engine->watch != NULL;
}

static bool start_threads(struct annals_engine *engine,
                          const struct annals_rocksdb_options *options, GError **error) {
  const struct annals_tuning_memory memory = annals_tuning_memory(&options->tuning);
  engine->memtable_bytes = memory.memtable_bytes / 2;
  engine->tails = annals_tail_table_new(memory.tail_table_bytes);
  engine->runs = annals_run_cache_new(memory.run_cache_bytes);
  engine->writer = annals_writer_start(
      &(struct annals_writer_parts){
          .db = engine->db,
          .history = engine->families[ANNALS_FAMILY_HISTORY],
          .executions = engine->families[ANNALS_FAMILY_EXECUTIONS],
          .listings = engine->families[ANNALS_FAMILY_LISTINGS],
          .tails = engine->tails,
          .runs = engine->runs,
          .disk = &engine->disk,
          .observer = options->observer,
          .complete = annals_engine_complete_write,
      },
      error);
  if (engine->writer == NULL) {
    return false;
  }
  engine->workers = annals_workers_start(
      options->worker_threads > 0 ? options->worker_threads : WORKER_THREADS_DEFAULT,
      annals_job_run, error);
  return engine->workers != NULL;
}

bool annals_rocksdb_open(const struct annals_rocksdb_options *options,
                         struct annals_store **ret_store, GError **error) {
  if (!annals_dir_make(options->path, 0700)) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_DENIED, "cannot create %s: %s",
                options->path, g_strerror(errno));
    return false;
  }
  struct annals_engine *engine = engine_new(options);
  if (options->ballast_path != NULL) {
    annals_disk_begin(&engine->disk);
  }
  if (annals_disk_is_full(&engine->disk)) {
    /* It would end the process with an assertion of RocksDB's. */
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FAILED,
                "cannot open %s: the disk is full; free some of it first", options->path);
    annals_engine_free(engine);
    return false;
  }
  if (!open_database(engine, options, error) || !start_threads(engine, options, error) ||
      !start_watch(engine, options, error)) {
    annals_engine_free(engine);
    return false;
  }
  *ret_store = &engine->store;
  return true;
}
