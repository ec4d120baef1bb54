#include "storage/rocksdb/scan.h"

void annals_scan_open(struct annals_scan *scan, struct annals_verification *verification,
                      enum annals_family family) {
  *scan = (struct annals_scan){
      .verification = verification,
      .family = family,
      .iterator = rocksdb_create_iterator_cf(verification->db, verification->scan_options,
                                             verification->families[family]),
      .last = g_byte_array_new(),
  };
}

void annals_scan_close(struct annals_scan *scan) {
  rocksdb_iter_destroy(scan->iterator);
  g_byte_array_unref(scan->last);
}

static bool take_key(struct annals_scan *scan) {
  scan->key = NULL;
  if (!rocksdb_iter_valid(scan->iterator)) {
    return false;
  }
  scan->key = (const uint8_t *)rocksdb_iter_key(scan->iterator, &scan->key_size);
  scan->value = (const uint8_t *)rocksdb_iter_value(scan->iterator, &scan->value_size);
  g_byte_array_set_size(scan->last, 0);
  g_byte_array_append(scan->last, scan->key, (guint)scan->key_size);
  annals_verification_read(scan->verification, scan->key_size + scan->value_size);
  return true;
}

/* The ARN in a key; "" where it begins with something else. */
static char *arn_of(const struct annals_scan *scan) {
  return scan->last->len == 0 || scan->family == ANNALS_FAMILY_LISTINGS
             ? g_strdup("")
             : g_strndup((const char *)scan->last->data, scan->last->len);
}

/* Seeks what is next behind all keys that begin with so many bytes of the last one. Returns whether
 * that can be read: at a key, or at the end. */
static bool seek_behind(struct annals_scan *scan, const GByteArray *last, guint size) {
  g_autoptr(GByteArray) key = g_byte_array_new();
  g_byte_array_append(key, last->data, size);
  if (key->data[size - 1] == UINT8_MAX) {
    return false;
  }
  key->data[size - 1]++;
  rocksdb_iter_seek(scan->iterator, (const char *)key->data, size);
  char *error = NULL;
  rocksdb_iter_get_error(scan->iterator, &error);
  bool ok = error == NULL;
  rocksdb_free(error);
  return ok;
}

/* The iterator has failed behind the last key: goes on where it can. */
static void pass_over(struct annals_scan *scan, char *error) {
  g_autofree char *arn = arn_of(scan);
  annals_verification_unreadable(scan->verification, scan->family, arn, error);
  scan->holes++;
  for (guint size = scan->last->len; size > 0; size--) {
    if (seek_behind(scan, scan->last, size)) {
      (void)take_key(scan);
      return;
    }
  }
}

static void arrive(struct annals_scan *scan) {
  char *error = NULL;
  if (take_key(scan)) {
    return;
  }
  rocksdb_iter_get_error(scan->iterator, &error);
  if (error != NULL) {
    pass_over(scan, error);
  }
}

void annals_scan_first(struct annals_scan *scan) {
  rocksdb_iter_seek_to_first(scan->iterator);
  arrive(scan);
}

void annals_scan_seek(struct annals_scan *scan, const uint8_t *key, size_t size) {
  g_byte_array_set_size(scan->last, 0);
  g_byte_array_append(scan->last, key, (guint)size);
  rocksdb_iter_seek(scan->iterator, (const char *)key, size);
  arrive(scan);
}

void annals_scan_next(struct annals_scan *scan) {
  rocksdb_iter_next(scan->iterator);
  arrive(scan);
}
