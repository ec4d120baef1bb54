#include "storage/rocksdb/edit.h"

#include <string.h>

#include "storage/rocksdb/database.h"

/* Tells whether there was no error, says it otherwise, and frees it. */
static bool is_ok(char *error) {
  if (error == NULL) {
    return true;
  }
  g_printerr("%s\n", error);
  rocksdb_free(error);
  return false;
}

struct annals_rocksdb_edit {
  struct annals_database database;
};

struct annals_rocksdb_edit *annals_rocksdb_edit_open(const char *path) {
  const struct annals_rocksdb_tuning tuning = {0};
  struct annals_database database;
  g_autoptr(GError) error = NULL;
  if (!annals_database_open(path, &tuning, ANNALS_DATABASE_CHANGE, &database, &error)) {
    g_printerr("%s\n", error->message);
    return NULL;
  }
  struct annals_rocksdb_edit *edit = g_new(struct annals_rocksdb_edit, 1);
  edit->database = database;
  return edit;
}

void annals_rocksdb_edit_close(struct annals_rocksdb_edit *edit) {
  annals_database_close(&edit->database);
  g_free(edit);
}

static rocksdb_column_family_handle_t *find(const struct annals_database *database,
                                            const char *family) {
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    if (strcmp(annals_family_name((enum annals_family)i), family) == 0) {
      return database->families[i];
    }
  }
  g_assert_not_reached();
}

bool annals_rocksdb_edit_put(struct annals_rocksdb_edit *edit, const char *family, GBytes *key,
                             GBytes *value) {
  const struct annals_database *database = &edit->database;
  gsize key_size;
  const char *key_bytes = g_bytes_get_data(key, &key_size);
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  char *error = NULL;
  if (value != NULL) {
    gsize size;
    const char *bytes = g_bytes_get_data(value, &size);
    rocksdb_put_cf(database->db, options, find(database, family), key_bytes, key_size, bytes, size,
                   &error);
  } else {
    rocksdb_delete_cf(database->db, options, find(database, family), key_bytes, key_size, &error);
  }
  rocksdb_writeoptions_destroy(options);
  return is_ok(error);
}

bool annals_rocksdb_edit_each(struct annals_rocksdb_edit *edit, const char *family,
                              void (*on_entry)(const char *key, size_t key_size, const char *value,
                                               size_t value_size, void *data),
                              void *data) {
  rocksdb_readoptions_t *options = rocksdb_readoptions_create();
  rocksdb_readoptions_set_total_order_seek(options, 1);
  rocksdb_iterator_t *iterator =
      rocksdb_create_iterator_cf(edit->database.db, options, find(&edit->database, family));
  for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator);
       rocksdb_iter_next(iterator)) {
    size_t key_size;
    size_t value_size;
    const char *key = rocksdb_iter_key(iterator, &key_size);
    const char *value = rocksdb_iter_value(iterator, &value_size);
    on_entry(key, key_size, value, value_size, data);
  }
  char *error = NULL;
  rocksdb_iter_get_error(iterator, &error);
  rocksdb_iter_destroy(iterator);
  rocksdb_readoptions_destroy(options);
  return is_ok(error);
}

bool annals_rocksdb_edit_flush(struct annals_rocksdb_edit *edit) {
  rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
  bool ok = true;
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    char *error = NULL;
    rocksdb_flush_cf(edit->database.db, options, edit->database.families[i], &error);
    ok &= is_ok(error);
  }
  rocksdb_flushoptions_destroy(options);
  return ok;
}
