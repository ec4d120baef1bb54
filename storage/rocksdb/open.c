#include <errno.h>
#include <string.h>

#include "storage/dir.h"
#include "storage/rocksdb/damage.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/job.h"
#include "storage/rocksdb/tuning.h"

/* Raised when the layout of keys or values changes; see key.h. */
static const char SCHEMA_KEY[] = "schema";
static const char SCHEMA_VERSION[] = "1";

static const char *const FAMILY_NAMES[ANNALS_FAMILY_COUNT] = {
    [ANNALS_FAMILY_DEFAULT] = "default",
    [ANNALS_FAMILY_HISTORY] = "history",
    [ANNALS_FAMILY_EXECUTIONS] = "executions",
    [ANNALS_FAMILY_LISTINGS] = "listings",
};

enum { WORKER_THREADS_DEFAULT = 4 };

GQuark annals_rocksdb_error_quark(void) {
  return g_quark_from_static_string("annals-rocksdb-error");
}

/* Says in one line what is wrong with the directory, and frees RocksDB's error. */
static void set_error(GError **error, const char *path, char *rocksdb_error) {
  g_autofree char *line = g_strdup(rocksdb_error);
  g_strdelimit(line, "\r\n", ' ');
  switch (annals_status_classify(rocksdb_error)) {
    case ANNALS_STATUS_LOCKED:
      g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_IN_USE,
                  "%s is in use by another process", path);
      break;
    case ANNALS_STATUS_DENIED:
      g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_DENIED,
                  "%s is not writable: %s", path, line);
      break;
    case ANNALS_STATUS_CORRUPT:
      g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_CORRUPT, "%s is damaged: %s",
                  path, line);
      break;
    default:
      g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FAILED, "cannot open %s: %s",
                  path, line);
      break;
  }
  rocksdb_free(rocksdb_error);
}

/* ---- the database -------------------------------------------------------------------------- */

static bool has_name(char *const *names, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(names[i], name) == 0) {
      return true;
    }
  }
  return false;
}

/*
 * Refuses a database without our families, unless it has nothing in it: that is one of ours whose
 * first open was cut short. Adding families to somebody else's would break it.
 */
static bool check_unused(rocksdb_options_t *options, const char *path, GError **error) {
  char *rocksdb_error = NULL;
  rocksdb_t *db = rocksdb_open_for_read_only(options, path, 0, &rocksdb_error);
  if (rocksdb_error != NULL) {
    set_error(error, path, rocksdb_error);
    return false;
  }
  rocksdb_readoptions_t *read_options = rocksdb_readoptions_create();
  rocksdb_iterator_t *iterator = rocksdb_create_iterator(db, read_options);
  rocksdb_iter_seek_to_first(iterator);
  bool unused = !rocksdb_iter_valid(iterator);
  rocksdb_iter_destroy(iterator);
  rocksdb_readoptions_destroy(read_options);
  rocksdb_close(db);
  if (!unused) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FOREIGN,
                "%s is no store of this program: it has keys, and no column family '%s'", path,
                FAMILY_NAMES[ANNALS_FAMILY_HISTORY]);
  }
  return unused;
}

static bool check_names(char *const *names, size_t count, const char *path, GError **error) {
  for (size_t i = 0; i < count; i++) {
    if (!has_name((char *const *)FAMILY_NAMES, ANNALS_FAMILY_COUNT, names[i])) {
      g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FOREIGN,
                  "%s is no store of this program: it has a column family '%s'", path, names[i]);
      return false;
    }
  }
  return true;
}

/* Refuses a database of somebody else's; a directory without one is fine. */
static bool check_families(rocksdb_options_t *options, const char *path, GError **error) {
  g_autofree char *current = g_build_filename(path, "CURRENT", NULL);
  if (!g_file_test(current, G_FILE_TEST_EXISTS)) {
    return true;
  }
  char *rocksdb_error = NULL;
  size_t count = 0;
  char **names = rocksdb_list_column_families(options, path, &count, &rocksdb_error);
  bool ours = false;
  if (rocksdb_error != NULL) {
    set_error(error, path, rocksdb_error);
  } else {
    ours = check_names(names, count, path, error) &&
           (has_name(names, count, FAMILY_NAMES[ANNALS_FAMILY_HISTORY]) ||
            check_unused(options, path, error));
  }
  /* Empty after an error, but there. */
  rocksdb_list_column_families_destroy(names, count);
  return ours;
}

static void take_fault(struct annals_directory_check *check, const char *file, const char *text) {
  GError **error = check->owner;
  if (*error == NULL) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_CORRUPT, "%s is damaged: %s: %s",
                check->path, file, text);
  }
}

/* Refuses what RocksDB would pass over without a word, acknowledged events with it. */
static bool check_logs(struct annals_engine *engine, GError **error) {
  const char *path = engine->disk.path;
  struct annals_manifest manifest = {0};
  GError *fault = NULL;
  struct annals_directory_check check = {.path = path, .on_fault = take_fault, .owner = &fault};
  bool ok = annals_directory_check_logs(&check, &manifest);
  engine->damaged = ok && manifest.path != NULL && annals_damage_remains(path, &manifest);
  annals_manifest_clear(&manifest);
  if (fault != NULL) {
    g_propagate_error(error, fault);
    return false;
  }
  return ok;
}

static bool open_database(struct annals_engine *engine, const struct annals_rocksdb_tuning *tuning,
                          GError **error) {
  rocksdb_options_t *options[ANNALS_FAMILY_COUNT];
  annals_tuning_make_options(tuning, options);
  char *rocksdb_error = NULL;
  const char *path = engine->disk.path;
  bool ok =
      check_logs(engine, error) && check_families(options[ANNALS_FAMILY_DEFAULT], path, error);
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_options_set_disable_auto_compactions(options[i], engine->damaged);
  }
  if (ok) {
    engine->db = rocksdb_open_column_families(
        options[ANNALS_FAMILY_DEFAULT], path, ANNALS_FAMILY_COUNT, FAMILY_NAMES,
        (const rocksdb_options_t *const *)options, engine->families, &rocksdb_error);
    if (rocksdb_error != NULL) {
      set_error(error, path, rocksdb_error);
      ok = false;
    }
  }
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_options_destroy(options[i]);
  }
  return ok;
}

/* Tells whether no family has a key. */
static bool is_empty(struct annals_engine *engine) {
  bool empty = true;
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_iterator_t *iterator =
        rocksdb_create_iterator_cf(engine->db, engine->get_any, engine->families[i]);
    rocksdb_iter_seek_to_first(iterator);
    empty &= !rocksdb_iter_valid(iterator);
    rocksdb_iter_destroy(iterator);
  }
  return empty;
}

static bool put_schema(struct annals_engine *engine, GError **error) {
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(options, 1);
  char *rocksdb_error = NULL;
  rocksdb_put(engine->db, options, SCHEMA_KEY, strlen(SCHEMA_KEY), SCHEMA_VERSION,
              strlen(SCHEMA_VERSION), &rocksdb_error);
  rocksdb_writeoptions_destroy(options);
  if (rocksdb_error != NULL) {
    set_error(error, engine->disk.path, rocksdb_error);
    return false;
  }
  return true;
}

static bool check_schema(struct annals_engine *engine, GError **error) {
  char *rocksdb_error = NULL;
  size_t size = 0;
  char *bytes = rocksdb_get(engine->db, engine->get_any, SCHEMA_KEY, strlen(SCHEMA_KEY), &size,
                            &rocksdb_error);
  if (rocksdb_error != NULL) {
    set_error(error, engine->disk.path, rocksdb_error);
    return false;
  }
  if (bytes == NULL && is_empty(engine)) {
    return put_schema(engine, error);
  }
  if (bytes == NULL) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FOREIGN,
                "%s is no store of this program: it has no schema version", engine->disk.path);
    return false;
  }
  bool same = size == strlen(SCHEMA_VERSION) && memcmp(bytes, SCHEMA_VERSION, size) == 0;
  if (!same) {
    g_autofree char *version = g_strndup(bytes, MIN(size, 20));
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FOREIGN,
                "%s has schema version %s; this program reads version %s", engine->disk.path,
                version, SCHEMA_VERSION);
  }
  rocksdb_free(bytes);
  return same;
}

/* ---- the engine ---------------------------------------------------------------------------- */

static struct annals_engine *engine_new(const struct annals_rocksdb_options *options) {
  struct annals_engine *engine = g_new0(struct annals_engine, 1);
  engine->store.ops = &annals_engine_ops;
  engine->disk = (struct annals_disk){
      .path = g_strdup(options->path),
      .min_free_bytes = options->min_free_bytes,
      .hooks = options->hooks,
  };
  engine->get_any = rocksdb_readoptions_create();
  engine->get_cached = rocksdb_readoptions_create();
  annals_tier_apply(ANNALS_TIER_CACHE, engine->get_cached);
  pthread_mutex_init(&engine->lock, NULL);
  pthread_cond_init(&engine->quiet, NULL);
  return engine;
}

static bool start_threads(struct annals_engine *engine,
                          const struct annals_rocksdb_options *options, GError **error) {
  engine->tails = annals_tail_table_new(annals_tuning_memory(&options->tuning).tail_table_bytes);
  engine->writer = annals_writer_start(
      &(struct annals_writer_parts){
          .db = engine->db,
          .history = engine->families[ANNALS_FAMILY_HISTORY],
          .executions = engine->families[ANNALS_FAMILY_EXECUTIONS],
          .listings = engine->families[ANNALS_FAMILY_LISTINGS],
          .tails = engine->tails,
          .disk = &engine->disk,
          .observer = options->observer,
          .complete = annals_engine_complete_write,
      },
      error);
  if (engine->writer == NULL) {
    return false;
  }
  GError *pool_error = NULL;
  engine->workers = g_thread_pool_new(
      annals_engine_run_job, engine,
      options->worker_threads > 0 ? options->worker_threads : WORKER_THREADS_DEFAULT, TRUE,
      &pool_error);
  if (pool_error != NULL) {
    g_propagate_error(error, pool_error);
    return false;
  }
  return true;
}

bool annals_rocksdb_open(const struct annals_rocksdb_options *options,
                         struct annals_store **ret_store, GError **error) {
  if (!annals_dir_make(options->path, 0700)) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_DENIED, "cannot create %s: %s",
                options->path, g_strerror(errno));
    return false;
  }
  struct annals_engine *engine = engine_new(options);
  if (!open_database(engine, &options->tuning, error) || !check_schema(engine, error) ||
      !start_threads(engine, options, error)) {
    annals_engine_free(engine);
    return false;
  }
  *ret_store = &engine->store;
  return true;
}
