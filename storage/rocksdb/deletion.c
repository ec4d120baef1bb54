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
    deletion->keys = keys;
  } else {
    g_array_unref(keys);
  }
  return status;
}

size_t annals_deletion_bytes(const struct annals_deletion *deletion) {
  return deletion->keys->len * (strlen(deletion->request->arn) + ANNALS_KEY_RUN_EXTRA);
}
