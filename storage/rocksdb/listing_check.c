#include "storage/rocksdb/listing_check.h"

#include <string.h>

#include "storage/rocksdb/execution_check.h"
#include "storage/rocksdb/list_key.h"
#include "storage/rocksdb/scan.h"

/* FNV-1a: Fowler, Noll and Vo. */
static const uint64_t HASH_START = 0xcbf29ce484222325;
static const uint64_t HASH_PRIME = 0x100000001b3;

static uint64_t hash_on(uint64_t hash, const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    hash = (hash ^ bytes[i]) * HASH_PRIME;
  }
  return hash;
}

static uint64_t hash_entry(const uint8_t *key, size_t key_size, const uint8_t *value,
                           size_t value_size) {
  uint64_t hash = hash_on(HASH_START, key, key_size);
  return hash_on(hash_on(hash, (const uint8_t *)&key_size, sizeof key_size), value, value_size);
}

/* ---- one entry ----------------------------------------------------------------------------- */

/* An entry of a list: views of its key. */
struct entry {
  const char *list;
  const uint8_t *rank;
  char *arn;
};

static bool entry_parse(const struct annals_scan *scan, struct entry *ret_entry) {
  const uint8_t *end = memchr(scan->key, '\0', scan->key_size);
  if (end == NULL || end == scan->key) {
    return false;
  }
  const uint8_t *position;
  size_t position_size;
  if (!annals_list_key_parse(scan->key, scan->key_size, (size_t)(end - scan->key), &position,
                             &position_size)) {
    return false;
  }
  *ret_entry = (struct entry){
      .list = (const char *)scan->key,
      .rank = position,
      .arn = g_strndup((const char *)position + ANNALS_STORE_RANK_BYTES,
                       position_size - ANNALS_STORE_RANK_BYTES),
  };
  return true;
}

static bool place_of(struct annals_verification *verification, GBytes *record,
                     const struct annals_store_place **ret_places, size_t *ret_count) {
  struct annals_store_auditor *auditor = verification->request->auditor;
  gsize size;
  const uint8_t *bytes = record != NULL ? g_bytes_get_data(record, &size) : NULL;
  *ret_count = 0;
  return bytes != NULL && auditor->place(auditor, bytes, size, ret_places, ret_count);
}

static bool is_among(const struct annals_store_place *places, size_t count, const char *list,
                     const uint8_t *rank) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(places[i].list, list) == 0 &&
        memcmp(places[i].rank, rank, ANNALS_STORE_RANK_BYTES) == 0) {
      return true;
    }
  }
  return false;
}

G_GNUC_PRINTF(4, 5)
static void tell(struct annals_verification *verification, const char *arn, bool repaired,
                 const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  annals_verification_fault(verification, &(struct annals_store_fault){
                                              .file = "",
                                              .part = annals_family_name(ANNALS_FAMILY_LISTINGS),
                                              .arn = arn,
                                              .text = text,
                                              .repaired = repaired,
                                          });
}

/* ---- from records to lists ----------------------------------------------------------------- */

void annals_listing_check_add(struct annals_verification *verification, const char *arn,
                              GBytes *record) {
  const struct annals_store_place *places;
  size_t count;
  if (!place_of(verification, record, &places, &count)) {
    return;
  }
  g_autoptr(GByteArray) key = g_byte_array_new();
  gsize size;
  const uint8_t *bytes = g_bytes_get_data(record, &size);
  for (size_t i = 0; i < count; i++) {
    annals_list_key_set(key, &places[i], arn, strlen(arn));
    verification->placed += hash_entry(key->data, key->len, bytes, size);
  }
}

static void check_place(struct annals_verification *verification, const char *arn, GBytes *record,
                        const struct annals_store_place *place) {
  g_autoptr(GByteArray) key = g_byte_array_new();
  g_autoptr(GBytes) value = NULL;
  annals_list_key_set(key, place, arn, strlen(arn));
  if (!annals_verification_get(verification, ANNALS_FAMILY_LISTINGS, arn, key->data, key->len,
                               &value) ||
      (value != NULL && g_bytes_equal(value, record))) {
    return;
  }
  bool repaired =
      (value == NULL ||
       annals_verification_delete(verification, ANNALS_FAMILY_LISTINGS, key->data, key->len)) &&
      annals_verification_put(verification, ANNALS_FAMILY_LISTINGS, key->data, key->len, record);
  tell(verification, arn, repaired,
       value == NULL ? "it is not in the list '%s'" : "its entry in the list '%s' is out of date",
       place->list);
}

static void check_places(struct annals_verification *verification, const char *arn,
                         GBytes *record) {
  const struct annals_store_place *places;
  size_t count;
  if (place_of(verification, record, &places, &count)) {
    for (size_t i = 0; i < count; i++) {
      check_place(verification, arn, record, &places[i]);
    }
  }
}

/* Takes the execution out of a list where its old record had it. */
static void leave_place(struct annals_verification *verification, const char *arn,
                        const GByteArray *key, const char *list) {
  g_autoptr(GBytes) value = NULL;
  if (annals_verification_get(verification, ANNALS_FAMILY_LISTINGS, arn, key->data, key->len,
                              &value) &&
      value != NULL) {
    bool repaired =
        annals_verification_delete(verification, ANNALS_FAMILY_LISTINGS, key->data, key->len);
    tell(verification, arn, repaired, "it does not belong in the list '%s'", list);
  }
}

void annals_listing_check_record(struct annals_verification *verification, const char *arn,
                                 GBytes *old, GBytes *right) {
  const struct annals_store_place *places;
  size_t count;
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
  g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func(g_free);
  if (old != right && place_of(verification, old, &places, &count)) {
    for (size_t i = 0; i < count; i++) {
      GByteArray *key = g_byte_array_new();
      annals_list_key_set(key, &places[i], arn, strlen(arn));
      g_ptr_array_add(keys, key);
      g_ptr_array_add(lists, g_strdup(places[i].list));
    }
  }
  if (right != NULL && place_of(verification, right, &places, &count)) {
    for (guint i = 0; i < keys->len; i++) {
      GByteArray *key = g_ptr_array_index(keys, i);
      const char *list = g_ptr_array_index(lists, i);
      if (!is_among(places, count, list, key->data + strlen(list) + 1)) {
        leave_place(verification, arn, key, list);
      }
    }
    check_places(verification, arn, right);
  }
}

static void check_all_places(struct annals_verification *verification) {
  struct annals_scan scan;
  annals_scan_open(&scan, verification, ANNALS_FAMILY_EXECUTIONS);
  for (annals_scan_first(&scan); scan.key != NULL && !verification->stopped;
       annals_scan_next(&scan)) {
    g_autofree char *arn = g_strndup((const char *)scan.key, scan.key_size);
    g_autoptr(GBytes) record = g_bytes_new(scan.value, scan.value_size);
    check_places(verification, arn, record);
  }
  annals_scan_close(&scan);
}

/* ---- from lists to records ----------------------------------------------------------------- */

static bool has_place(struct annals_verification *verification, GBytes *record,
                      const struct entry *entry) {
  const struct annals_store_place *places;
  size_t count;
  return place_of(verification, record, &places, &count) &&
         is_among(places, count, entry->list, entry->rank);
}

/* What is told but not done leaves wrong records behind: the right one counts. */
static bool will_have_place(struct annals_verification *verification, const struct entry *entry) {
  if (verification->repair != ANNALS_REPAIR_DRY) {
    return false;
  }
  g_autoptr(GBytes) right = annals_execution_check_find_right(verification, entry->arn);
  return has_place(verification, right, entry);
}

static void check_entry(struct annals_verification *verification, const struct annals_scan *scan) {
  struct entry entry;
  if (!entry_parse(scan, &entry)) {
    bool repaired =
        annals_verification_delete(verification, ANNALS_FAMILY_LISTINGS, scan->key, scan->key_size);
    tell(verification, "", repaired, "a key that is none");
    return;
  }
  g_autoptr(GBytes) record = NULL;
  if (annals_verification_get(verification, ANNALS_FAMILY_EXECUTIONS, entry.arn,
                              (const uint8_t *)entry.arn, strlen(entry.arn), &record) &&
      !has_place(verification, record, &entry) && !will_have_place(verification, &entry)) {
    bool repaired =
        annals_verification_delete(verification, ANNALS_FAMILY_LISTINGS, scan->key, scan->key_size);
    tell(verification, entry.arn, repaired, "it does not belong in the list '%s'", entry.list);
  }
  g_free(entry.arn);
}

static void each_entry(struct annals_verification *verification,
                       void (*take)(struct annals_verification *verification,
                                    const struct annals_scan *scan)) {
  struct annals_scan scan;
  annals_scan_open(&scan, verification, ANNALS_FAMILY_LISTINGS);
  for (annals_scan_first(&scan); scan.key != NULL && !verification->stopped;
       annals_scan_next(&scan)) {
    take(verification, &scan);
  }
  annals_scan_close(&scan);
}

static void add_entry(struct annals_verification *verification, const struct annals_scan *scan) {
  verification->listed += hash_entry(scan->key, scan->key_size, scan->value, scan->value_size);
}

void annals_listing_check_all(struct annals_verification *verification) {
  if (verification->repair != ANNALS_REPAIR_NONE) {
    each_entry(verification, check_entry);
    return;
  }
  each_entry(verification, add_entry);
  if (verification->listed != verification->placed && !verification->stopped) {
    check_all_places(verification);
    each_entry(verification, check_entry);
  }
}
