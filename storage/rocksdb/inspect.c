#include "storage/rocksdb/inspect.h"

#include <rocksdb/c.h>
#include <string.h>

#include "storage/rocksdb/engine.h"

/* Frees the error, and tells whether there was none. */
static bool is_ok(char *error) {
  bool ok = error == NULL;
  if (!ok) {
    g_printerr("%s\n", error);
    rocksdb_free(error);
  }
  return ok;
}

void annals_rocksdb_each_key(struct annals_store *store, const char *arn,
                             void (*on_key)(const struct annals_key *key, void *data), void *data) {
  struct annals_engine *engine = (struct annals_engine *)store;
  rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(
      engine->db, engine->get_any, engine->families[ANNALS_FAMILY_HISTORY]);
  for (rocksdb_iter_seek(iterator, arn, strlen(arn) + 1); rocksdb_iter_valid(iterator);
       rocksdb_iter_next(iterator)) {
    size_t size;
    const char *bytes = rocksdb_iter_key(iterator, &size);
    struct annals_key key;
    if (!annals_key_parse((const uint8_t *)bytes, size, arn, strlen(arn), &key)) {
      break;
    }
    on_key(&key, data);
  }
  rocksdb_iter_destroy(iterator);
}

bool annals_rocksdb_flush(struct annals_store *store) {
  struct annals_engine *engine = (struct annals_engine *)store;
  rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
  rocksdb_flushoptions_set_wait(options, 1);
  bool ok = true;
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    char *error = NULL;
    rocksdb_flush_cf(engine->db, options, engine->families[i], &error);
    ok &= is_ok(error);
  }
  rocksdb_flushoptions_destroy(options);
  return ok;
}

bool annals_rocksdb_compact(struct annals_store *store) {
  struct annals_engine *engine = (struct annals_engine *)store;
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    rocksdb_compact_range_cf(engine->db, engine->families[i], NULL, 0, NULL, 0);
  }
  /* The C API does not say how a compaction ended; the next flush fails if it went wrong. */
  return annals_rocksdb_flush(store);
}

static bool put_raw(struct annals_store *store, enum annals_family family, const uint8_t *key,
                    size_t key_size, const void *value, size_t value_size) {
  struct annals_engine *engine = (struct annals_engine *)store;
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  char *error = NULL;
  rocksdb_put_cf(engine->db, options, engine->families[family], (const char *)key, key_size, value,
                 value_size, &error);
  rocksdb_writeoptions_destroy(options);
  return is_ok(error);
}

bool annals_rocksdb_put_raw(struct annals_store *store, const uint8_t *key, size_t key_size,
                            const void *value, size_t value_size) {
  return put_raw(store, ANNALS_FAMILY_HISTORY, key, key_size, value, value_size);
}

bool annals_rocksdb_put_raw_entry(struct annals_store *store, const uint8_t *key, size_t key_size) {
  return put_raw(store, ANNALS_FAMILY_LISTINGS, key, key_size, "", 0);
}

bool annals_rocksdb_delete_raw(struct annals_store *store, const uint8_t *key, size_t key_size) {
  struct annals_engine *engine = (struct annals_engine *)store;
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  char *error = NULL;
  rocksdb_delete_cf(engine->db, options, engine->families[ANNALS_FAMILY_HISTORY], (const char *)key,
                    key_size, &error);
  rocksdb_writeoptions_destroy(options);
  return is_ok(error);
}

bool annals_rocksdb_make_foreign(const char *path, const char *family, const char *schema) {
  rocksdb_options_t *options = rocksdb_options_create();
  rocksdb_options_set_create_if_missing(options, 1);
  rocksdb_writeoptions_t *write_options = rocksdb_writeoptions_create();
  char *error = NULL;
  rocksdb_t *db = rocksdb_open(options, path, &error);
  bool ok = is_ok(error);
  if (ok && family != NULL) {
    error = NULL;
    rocksdb_column_family_handle_t *handle =
        rocksdb_create_column_family(db, options, family, &error);
    ok = is_ok(error);
    if (ok) {
      rocksdb_column_family_handle_destroy(handle);
    }
  }
  if (ok) {
    error = NULL;
    const char *key = schema != NULL ? "schema" : "other";
    const char *value = schema != NULL ? schema : "";
    rocksdb_put(db, write_options, key, strlen(key), value, strlen(value), &error);
    ok = is_ok(error);
  }
  if (db != NULL) {
    rocksdb_close(db);
  }
  rocksdb_writeoptions_destroy(write_options);
  rocksdb_options_destroy(options);
  return ok;
}
