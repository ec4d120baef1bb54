#include "storage/rocksdb/deletion.h"

#include <string.h>

static void add_key(GArray *keys, const struct annals_cursor *cursor) {
  struct annals_key key = {
      .kind = cursor->place == ANNALS_PLACE_OPEN ? ANNALS_KEY_OPEN : ANNALS_KEY_SEALED,
      .marker = cursor->place == ANNALS_PLACE_MARKER,
  };
  if (!key.marker) {
    key.first_id = cursor->run.first_id;
    key.last_id = cursor->run.last_id;
  }
  g_array_append_val(keys, key);
}

/* Adds the keys of data keys, which stand behind the history. */
static enum annals_status add_data_keys(struct annals_deletion *deletion,
                                        struct annals_reader *reader, GArray *keys) {
  size_t arn_size = strlen(deletion->request->arn);
  size_t prefix_size = arn_size + ANNALS_KEY_PREFIX_EXTRA;
  g_autofree uint8_t *lower = g_malloc(prefix_size);
  g_autofree uint8_t *upper = g_malloc(prefix_size);
  annals_key_put_prefix(lower, deletion->request->arn, arn_size, ANNALS_KEY_DATA);
  annals_key_put_prefix(upper, deletion->request->arn, arn_size, ANNALS_KEY_DATA + 1);
  rocksdb_readoptions_t *options = rocksdb_readoptions_create();
  annals_tier_apply(reader->tier, options);
  rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)upper, prefix_size);
  rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(reader->db, options, reader->history);
  struct annals_key key;
  rocksdb_iter_seek(iterator, (const char *)lower, prefix_size);
  for (; rocksdb_iter_valid(iterator); rocksdb_iter_next(iterator)) {
    size_t size;
    const char *bytes = rocksdb_iter_key(iterator, &size);
    if (annals_key_parse((const uint8_t *)bytes, size, deletion->request->arn, arn_size, &key)) {
      g_array_append_val(keys, key);
    }
  }
  char *error = NULL;
  rocksdb_iter_get_error(iterator, &error);
  enum annals_status status = annals_status_classify(error);
  g_strlcpy(reader->detail, error != NULL ? error : "", sizeof reader->detail);
  rocksdb_free(error);
  rocksdb_iter_destroy(iterator);
  rocksdb_readoptions_destroy(options);
  return status;
}

enum annals_status annals_deletion_collect(struct annals_deletion *deletion,
                                           struct annals_reader *reader) {
  GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct annals_key));
  struct annals_cursor cursor;
  annals_cursor_open(&cursor, reader->db, reader->history, deletion->request->arn, reader->tier);
  annals_cursor_seek(&cursor, ANNALS_KEY_SEALED, 0);
  while (cursor.place != ANNALS_PLACE_END && cursor.place != ANNALS_PLACE_FAILED) {
    add_key(keys, &cursor);
    deletion->value_bytes += cursor.place == ANNALS_PLACE_MARKER ? 0 : cursor.run.frames_bytes;
    annals_cursor_next(&cursor);
  }
  enum annals_status status =
      cursor.place == ANNALS_PLACE_FAILED ? cursor.status : ANNALS_STATUS_OK;
  g_strlcpy(reader->detail, cursor.detail, sizeof reader->detail);
  annals_cursor_close(&cursor);
  if (status == ANNALS_STATUS_OK) {
    status = add_data_keys(deletion, reader, keys);
  }
  if (status == ANNALS_STATUS_OK) {
    deletion->keys = keys;
  } else {
    g_array_unref(keys);
  }
  return status;
}

size_t annals_deletion_bytes(const struct annals_deletion *deletion) {
  return deletion->keys->len * (strlen(deletion->request->arn) + ANNALS_KEY_RUN_EXTRA);
}
