#include "storage/rocksdb/schema_version.h"

#include <stdlib.h>
#include <string.h>

#include "storage/outcome.h"
#include "storage/rocksdb/rebuild.h"
#include "storage/rocksdb/verification.h"

static const char KEY[] = "schema";

enum { VERSION_BYTES_MAX = 9, NUMBER_BASE = 10 };

/* Tells whether no family has a key. */
static bool is_empty(const struct annals_database *database) {
  bool empty = true;
  rocksdb_readoptions_t *options = rocksdb_readoptions_create();
  rocksdb_readoptions_set_total_order_seek(options, 1);
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_iterator_t *iterator =
        rocksdb_create_iterator_cf(database->db, options, database->families[i]);
    rocksdb_iter_seek_to_first(iterator);
    empty &= !rocksdb_iter_valid(iterator);
    rocksdb_iter_destroy(iterator);
  }
  rocksdb_readoptions_destroy(options);
  return empty;
}

static char *get_text(const struct annals_database *database, char **rocksdb_error) {
  size_t size = 0;
  rocksdb_readoptions_t *options = rocksdb_readoptions_create();
  char *bytes = rocksdb_get(database->db, options, KEY, strlen(KEY), &size, rocksdb_error);
  rocksdb_readoptions_destroy(options);
  char *text = bytes != NULL ? g_strndup(bytes, size) : NULL;
  rocksdb_free(bytes);
  return text;
}

static bool is_rebuilding(const struct annals_database *database) {
  size_t size = 0;
  char *error = NULL;
  rocksdb_readoptions_t *options = rocksdb_readoptions_create();
  char *value = rocksdb_get(database->db, options, ANNALS_REBUILD_MARK, strlen(ANNALS_REBUILD_MARK),
                            &size, &error);
  rocksdb_readoptions_destroy(options);
  bool rebuilding = value != NULL;
  rocksdb_free(value);
  rocksdb_free(error);
  return rebuilding;
}

static bool parse(const char *text, int *ret_version) {
  size_t size = strlen(text);
  if (size == 0 || size > VERSION_BYTES_MAX || strspn(text, "0123456789") != size) {
    return false;
  }
  *ret_version = (int)strtol(text, NULL, NUMBER_BASE);
  return *ret_version >= ANNALS_SCHEMA_VERSION_OLDEST;
}

G_GNUC_PRINTF(2, 3)
static bool refuse(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_propagate_error(
      error, g_error_new_valist(ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FOREIGN, format, args));
  va_end(args);
  return false;
}

bool annals_schema_version_read(const struct annals_database *database, const char *path,
                                int *ret_version, GError **error) {
  char *rocksdb_error = NULL;
  g_autofree char *text = get_text(database, &rocksdb_error);
  if (rocksdb_error != NULL) {
    annals_database_set_error(error, path, rocksdb_error);
    return false;
  }
  int version = 0;
  if (text == NULL && !is_empty(database)) {
    return refuse(error, "%s is no store of this program: it has no schema version", path);
  }
  if (text != NULL && !parse(text, &version)) {
    return refuse(error, "%s is no store of this program: its schema version is none", path);
  }
  if (version > ANNALS_SCHEMA_VERSION_ENCRYPTED) {
    return refuse(error,
                  "%s has schema version %d, of a newer program; this one knows versions %d to %d: "
                  "run the newer program, or restore a backup that was made before it",
                  path, version, ANNALS_SCHEMA_VERSION_OLDEST, ANNALS_SCHEMA_VERSION_ENCRYPTED);
  }
  *ret_version = version;
  return true;
}

bool annals_schema_version_put(const struct annals_database *database, const char *path,
                               GError **error) {
  int version = 0;
  if (!annals_schema_version_read(database, path, &version, error)) {
    return false;
  }
  g_autofree char *text = g_strdup_printf("%d", MAX(version, ANNALS_SCHEMA_VERSION));
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(options, 1);
  char *rocksdb_error = NULL;
  rocksdb_put(database->db, options, KEY, strlen(KEY), text, strlen(text), &rocksdb_error);
  rocksdb_writeoptions_destroy(options);
  if (rocksdb_error != NULL) {
    annals_database_set_error(error, path, rocksdb_error);
    return false;
  }
  return true;
}

void annals_schema_version_batch(rocksdb_writebatch_t *batch) {
  char text[VERSION_BYTES_MAX + 1];
  g_snprintf(text, sizeof text, "%d", ANNALS_SCHEMA_VERSION_ENCRYPTED);
  rocksdb_writebatch_put(batch, KEY, strlen(KEY), text, strlen(text));
}

/* ---- migration ----------------------------------------------------------------------------- */

struct migration {
  struct annals_store_verify verify;
  const struct annals_rocksdb_options *options;
  int version;
};

static bool tell(struct migration *migration, bool done) {
  const struct annals_rocksdb_options *options = migration->options;
  const struct annals_rocksdb_migration so_far = {
      .from_version = migration->version,
      .to_version = ANNALS_SCHEMA_VERSION,
      .done = done,
      .summary = &migration->verify.summary,
  };
  return options->on_migration == NULL || options->on_migration(options->migration_data, &so_far);
}

static bool on_progress(struct annals_store_verify *verify) {
  return tell((struct migration *)verify, false);
}

/* What is damaged stays so, and is told of when it is read. */
static void on_fault(struct annals_store_verify *verify, const struct annals_store_fault *fault) {
  (void)verify;
  (void)fault;
}

/* A repair is what it takes: the records and lists of an older version are wrong ones of this. */
static bool migrate(const struct annals_database *database,
                    const struct annals_rocksdb_options *options, int version, GError **error) {
  struct migration migration = {
      .verify = {.auditor = options->auditor, .on_fault = on_fault, .on_progress = on_progress},
      .options = options,
      .version = version,
  };
  struct annals_verification verification = {
      .request = &migration.verify,
      .repair = ANNALS_REPAIR,
      .db = database->db,
      .families = database->families,
  };
  annals_verification_run(&verification);
  if (migration.verify.op.outcome != ANNALS_STORE_OK) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FAILED,
                "%s cannot be migrated from schema version %d to %d: %s", options->path, version,
                ANNALS_SCHEMA_VERSION, migration.verify.op.detail);
    return false;
  }
  if (!annals_schema_version_put(database, options->path, error)) {
    return false;
  }
  (void)tell(&migration, true);
  return true;
}

bool annals_schema_version_settle(const struct annals_database *database,
                                  const struct annals_rocksdb_options *options, GError **error) {
  int version;
  if (!annals_schema_version_read(database, options->path, &version, error)) {
    return false;
  }
  if (is_rebuilding(database)) {
    return refuse(error, "a repair of %s has not ended: run it again", options->path);
  }
  if (version >= ANNALS_SCHEMA_VERSION) {
    return true;
  }
  if (version == 0) {
    return annals_schema_version_put(database, options->path, error);
  }
  if (options->auditor == NULL) {
    return refuse(error, "%s has schema version %d, and nobody to migrate it to version %d",
                  options->path, version, ANNALS_SCHEMA_VERSION);
  }
  return migrate(database, options, version, error);
}
