#include "storage/rocksdb/database.h"

#include <string.h>

#include "storage/rocksdb/damage.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/status.h"
#include "storage/rocksdb/tuning.h"

const char *annals_family_name(enum annals_family family) {
  static const char *const names[ANNALS_FAMILY_COUNT] = {
      [ANNALS_FAMILY_DEFAULT] = "default",
      [ANNALS_FAMILY_HISTORY] = "history",
      [ANNALS_FAMILY_EXECUTIONS] = "executions",
      [ANNALS_FAMILY_LISTINGS] = "listings",
  };
  return names[family];
}

void annals_database_set_error(GError **error, const char *path, char *rocksdb_error) {
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

/* ---- whose it is --------------------------------------------------------------------------- */

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
    annals_database_set_error(error, path, rocksdb_error);
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
                annals_family_name(ANNALS_FAMILY_HISTORY));
  }
  return unused;
}

static bool is_family(const char *name) {
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    if (strcmp(annals_family_name((enum annals_family)i), name) == 0) {
      return true;
    }
  }
  return false;
}

static bool check_names(char *const *names, size_t count, const char *path, GError **error) {
  for (size_t i = 0; i < count; i++) {
    if (!is_family(names[i])) {
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
    annals_database_set_error(error, path, rocksdb_error);
  } else {
    ours = check_names(names, count, path, error) &&
           (has_name(names, count, annals_family_name(ANNALS_FAMILY_HISTORY)) ||
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
static bool check_logs(const char *path, enum annals_database_mode mode, bool *ret_damaged,
                       GError **error) {
  struct annals_manifest manifest = {0};
  GError *fault = NULL;
  struct annals_directory_check check = {
      .path = path,
      .on_fault = take_fault,
      .owner = &fault,
      .logs_may_be_missing = mode == ANNALS_DATABASE_BACKUP,
  };
  bool ok = annals_directory_check_logs(&check, &manifest);
  *ret_damaged = ok && manifest.path != NULL && annals_damage_remains(path, &manifest);
  annals_manifest_clear(&manifest);
  if (fault != NULL) {
    g_propagate_error(error, fault);
    return false;
  }
  return ok;
}

static rocksdb_t *open_families(const char *path, enum annals_database_mode mode,
                                rocksdb_options_t *const *options,
                                rocksdb_column_family_handle_t **families, char **error) {
  const char *names[ANNALS_FAMILY_COUNT];
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    names[i] = annals_family_name((enum annals_family)i);
  }
  const rocksdb_options_t *const *of_families = (const rocksdb_options_t *const *)options;
  return mode == ANNALS_DATABASE_LOOK
             ? rocksdb_open_for_read_only_column_families(options[0], path, ANNALS_FAMILY_COUNT,
                                                          names, of_families, families, 0, error)
             : rocksdb_open_column_families(options[0], path, ANNALS_FAMILY_COUNT, names,
                                            of_families, families, error);
}

bool annals_database_open(const char *path, const struct annals_rocksdb_tuning *tuning,
                          enum annals_database_mode mode, struct annals_database *ret_database,
                          GError **error) {
  rocksdb_options_t *options[ANNALS_FAMILY_COUNT];
  annals_tuning_make_options(tuning, options);
  rocksdb_options_set_create_if_missing(options[0], mode == ANNALS_DATABASE_CREATE);
  struct annals_database database = {0};
  bool ok = (mode == ANNALS_DATABASE_LOOK || check_logs(path, mode, &database.damaged, error)) &&
            check_families(options[0], path, error);
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_options_set_disable_auto_compactions(options[i],
                                                 database.damaged || mode == ANNALS_DATABASE_CALM);
  }
  if (ok) {
    char *rocksdb_error = NULL;
    database.db = open_families(path, mode, options, database.families, &rocksdb_error);
    if (rocksdb_error != NULL) {
      annals_database_set_error(error, path, rocksdb_error);
      ok = false;
    }
  }
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_options_destroy(options[i]);
  }
  if (ok) {
    *ret_database = database;
  }
  return ok;
}

bool annals_database_empty_family(struct annals_database *database,
                                  const struct annals_rocksdb_tuning *tuning,
                                  enum annals_family family, char **rocksdb_error) {
  rocksdb_drop_column_family(database->db, database->families[family], rocksdb_error);
  if (*rocksdb_error != NULL) {
    return false;
  }
  rocksdb_options_t *options[ANNALS_FAMILY_COUNT];
  annals_tuning_make_options(tuning, options);
  rocksdb_column_family_handle_destroy(database->families[family]);
  database->families[family] = rocksdb_create_column_family(
      database->db, options[family], annals_family_name(family), rocksdb_error);
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_options_destroy(options[i]);
  }
  return *rocksdb_error == NULL;
}

void annals_database_close(struct annals_database *database) {
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    if (database->families[i] != NULL) {
      rocksdb_column_family_handle_destroy(database->families[i]);
    }
  }
  if (database->db != NULL) {
    rocksdb_close(database->db);
  }
  *database = (struct annals_database){0};
}
