/* Makes a store what a program of schema version 1 left: nobody stands in any list. */
#include <stdio.h>
#include <string.h>

#include "storage/rocksdb/edit.h"

static void take_key(const char *key, size_t key_size, const char *value, size_t value_size,
                     void *data) {
  (void)value;
  (void)value_size;
  g_ptr_array_add(data, g_bytes_new(key, key_size));
}

static bool put(struct annals_rocksdb_edit *edit, const char *family, GBytes *key,
                const char *text) {
  GBytes *value = text != NULL ? g_bytes_new_static(text, strlen(text)) : NULL;
  bool ok = annals_rocksdb_edit_put(edit, family, key, value);
  g_clear_pointer(&value, g_bytes_unref);
  return ok;
}

static bool make_old(struct annals_rocksdb_edit *edit) {
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_autoptr(GBytes) schema = g_bytes_new_static("schema", strlen("schema"));
  bool ok = annals_rocksdb_edit_each(edit, "listings", take_key, keys);
  for (guint i = 0; ok && i < keys->len; i++) {
    ok = put(edit, "listings", keys->pdata[i], NULL);
  }
  return ok && put(edit, "default", schema, "1") && annals_rocksdb_edit_flush(edit);
}

int main(int argc, char **argv) {
  struct annals_rocksdb_edit *edit = argc == 2 ? annals_rocksdb_edit_open(argv[1]) : NULL;
  if (edit == NULL) {
    fprintf(stderr, "usage: make_old DIRECTORY, of a store that nobody has open\n");
    return 2;
  }
  bool ok = make_old(edit);
  annals_rocksdb_edit_close(edit);
  return ok ? 0 : 1;
}
