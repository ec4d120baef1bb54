#include "storage/rocksdb/rebuild.h"

#include <string.h>

#include "storage/rocksdb/scan.h"

/* Before the ARN in the key of a record that was put aside. */
static const char ASIDE[] = "aside ";

enum { BATCH_KEYS_MAX = 1000 };

struct rebuild {
  struct annals_database *database;
  rocksdb_writebatch_t *batch;
  char **error;
};

static void write_batch(struct rebuild *rebuild) {
  if (*rebuild->error == NULL) {
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(options, 1);
    rocksdb_write(rebuild->database->db, options, rebuild->batch, rebuild->error);
    rocksdb_writeoptions_destroy(options);
  }
  rocksdb_writebatch_clear(rebuild->batch);
}

static rocksdb_column_family_handle_t *family_of(const struct rebuild *rebuild,
                                                 enum annals_family family) {
  return rebuild->database->families[family];
}

/* ---- one key after the other --------------------------------------------------------------- */

static void put_aside(struct rebuild *rebuild, const struct annals_scan *scan) {
  g_autoptr(GByteArray) key = g_byte_array_new();
  g_byte_array_append(key, (const guint8 *)ASIDE, (guint)strlen(ASIDE));
  g_byte_array_append(key, scan->key, (guint)scan->key_size);
  rocksdb_writebatch_put_cf(rebuild->batch, family_of(rebuild, ANNALS_FAMILY_DEFAULT),
                            (const char *)key->data, key->len, (const char *)scan->value,
                            scan->value_size);
}

static bool is_aside(const struct annals_scan *scan) {
  return scan->key_size > strlen(ASIDE) && memcmp(scan->key, ASIDE, strlen(ASIDE)) == 0;
}

static void bring_back(struct rebuild *rebuild, const struct annals_scan *scan) {
  if (is_aside(scan)) {
    rocksdb_writebatch_put_cf(rebuild->batch, family_of(rebuild, ANNALS_FAMILY_EXECUTIONS),
                              (const char *)scan->key + strlen(ASIDE),
                              scan->key_size - strlen(ASIDE), (const char *)scan->value,
                              scan->value_size);
  }
}

static void clear_aside(struct rebuild *rebuild, const struct annals_scan *scan) {
  if (is_aside(scan)) {
    rocksdb_writebatch_delete_cf(rebuild->batch, family_of(rebuild, ANNALS_FAMILY_DEFAULT),
                                 (const char *)scan->key, scan->key_size);
  }
}

/* What cannot be read is passed over: it is told of by the check behind this. */
static void each(struct rebuild *rebuild, enum annals_family family,
                 void (*take)(struct rebuild *rebuild, const struct annals_scan *scan)) {
  struct annals_store_verify nobody = {0};
  struct annals_verification quiet = {
      .request = &nobody,
      .muted = true,
      .db = rebuild->database->db,
      .families = rebuild->database->families,
      .scan_options = rocksdb_readoptions_create(),
  };
  rocksdb_readoptions_set_total_order_seek(quiet.scan_options, 1);
  struct annals_scan scan;
  annals_scan_open(&scan, &quiet, family);
  for (annals_scan_first(&scan); scan.key != NULL && *rebuild->error == NULL;
       annals_scan_next(&scan)) {
    take(rebuild, &scan);
    if (rocksdb_writebatch_count(rebuild->batch) >= BATCH_KEYS_MAX) {
      write_batch(rebuild);
    }
  }
  annals_scan_close(&scan);
  rocksdb_readoptions_destroy(quiet.scan_options);
  write_batch(rebuild);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool has_mark(struct rebuild *rebuild) {
  rocksdb_readoptions_t *options = rocksdb_readoptions_create();
  size_t size;
  char *value = rocksdb_get(rebuild->database->db, options, ANNALS_REBUILD_MARK,
                            strlen(ANNALS_REBUILD_MARK), &size, rebuild->error);
  rocksdb_readoptions_destroy(options);
  bool found = value != NULL;
  rocksdb_free(value);
  return found;
}

static void set_mark(struct rebuild *rebuild, bool set) {
  if (set) {
    rocksdb_writebatch_put(rebuild->batch, ANNALS_REBUILD_MARK, strlen(ANNALS_REBUILD_MARK), "", 0);
  } else {
    rocksdb_writebatch_delete(rebuild->batch, ANNALS_REBUILD_MARK, strlen(ANNALS_REBUILD_MARK));
  }
  write_batch(rebuild);
}

static void rebuild_records(struct rebuild *rebuild, const struct annals_rocksdb_tuning *tuning) {
  if (!has_mark(rebuild)) {
    each(rebuild, ANNALS_FAMILY_DEFAULT, clear_aside);
    each(rebuild, ANNALS_FAMILY_EXECUTIONS, put_aside);
    set_mark(rebuild, true);
  }
  if (*rebuild->error == NULL &&
      annals_database_empty_family(rebuild->database, tuning, ANNALS_FAMILY_EXECUTIONS,
                                   rebuild->error)) {
    each(rebuild, ANNALS_FAMILY_DEFAULT, bring_back);
    set_mark(rebuild, false);
    each(rebuild, ANNALS_FAMILY_DEFAULT, clear_aside);
  }
}

bool annals_rebuild_run(struct annals_database *database,
                        const struct annals_rocksdb_tuning *tuning,
                        const bool damaged[ANNALS_FAMILY_COUNT], char **rocksdb_error) {
  struct rebuild rebuild = {database, rocksdb_writebatch_create(), rocksdb_error};
  if (damaged[ANNALS_FAMILY_EXECUTIONS] || has_mark(&rebuild)) {
    rebuild_records(&rebuild, tuning);
  } else {
    each(&rebuild, ANNALS_FAMILY_DEFAULT, clear_aside); /* of one that ended behind its mark */
  }
  rocksdb_writebatch_destroy(rebuild.batch);
  return *rocksdb_error == NULL &&
         (!damaged[ANNALS_FAMILY_LISTINGS] ||
          annals_database_empty_family(database, tuning, ANNALS_FAMILY_LISTINGS, rocksdb_error));
}
