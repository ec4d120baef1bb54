#include "storage/rocksdb/manifest.h"

#include <string.h>

#include "storage/rocksdb/record_log.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/rocksdb/varint.h"

/* Tags of an edit; all from SAFE on hold one text. */
enum {
  TAG_COMPARATOR = 1,
  TAG_LOG_NUMBER = 2,
  TAG_NEXT_FILE_NUMBER = 3,
  TAG_LAST_SEQUENCE = 4,
  TAG_COMPACT_CURSOR = 5,
  TAG_DELETED_FILE = 6,
  TAG_PREV_LOG_NUMBER = 9,
  TAG_MIN_LOG_NUMBER = 10,
  TAG_NEW_FILE = 103,
  TAG_FAMILY = 200,
  TAG_FAMILY_ADD = 201,
  TAG_FAMILY_DROP = 202,
  TAG_MAX_FAMILY = 203,
  TAG_IN_ATOMIC_GROUP = 300,
  TAG_NEW_BLOB_FILE = 400,
  TAG_BLOB_GARBAGE = 401,
  TAG_SAFE = 1 << 13,
};

/* Tags within a new file; each holds one text but the last. */
enum { FILE_TAG_END = 1, FILE_TAG_CHECKSUM = 7, FILE_TAG_CHECKSUM_NAME = 8 };

/* Tags within a blob file; each but this one holds one text. */
enum { BLOB_TAG_END = 0 };

static const char CHECKSUM_NAME[] = "FileChecksumCrc32c";
static const char NAME_PREFIX[] = "MANIFEST-";

/* What is left of an edit. */
struct edit {
  struct annals_manifest *manifest;
  struct annals_text rest;
  uint32_t family;
  bool dropped; /* the family */
  bool has_log_number;
  uint64_t log_number;
  uint64_t next_file_number; /* 0: it says nothing; so the next ones */
  uint64_t kept_log_number;
  uint64_t last_family;
  GArray *added; /* struct annals_manifest_file: they count when all of the edit is taken */
};

struct reading {
  struct annals_manifest *manifest;
  GHashTable *log_numbers; /* by family: what its data in files comes before */
};

static bool take_number(struct edit *edit, uint64_t *ret_number) {
  return annals_varint_take(&edit->rest, ret_number);
}

static bool take_text(struct edit *edit, struct annals_text *ret_text) {
  return annals_varint_take_text(&edit->rest, ret_text);
}

static bool skip_numbers(struct edit *edit, int count) {
  uint64_t number;
  bool ok = true;
  for (int i = 0; ok && i < count; i++) {
    ok = take_number(edit, &number);
  }
  return ok;
}

static void set_checksum(struct annals_manifest_file *file, struct annals_text name,
                         struct annals_text checksum) {
  file->has_checksum = checksum.size == sizeof file->checksum &&
                       name.size == strlen(CHECKSUM_NAME) &&
                       memcmp(name.bytes, CHECKSUM_NAME, name.size) == 0;
  if (file->has_checksum) {
    memcpy(&file->checksum, checksum.bytes, sizeof file->checksum);
    file->checksum = GUINT32_FROM_BE(file->checksum);
  }
}

static bool take_file_tags(struct edit *edit, struct annals_manifest_file *file) {
  struct annals_text checksum = {0};
  struct annals_text name = {0};
  struct annals_text other;
  uint64_t tag;
  while (take_number(edit, &tag) && tag != FILE_TAG_END) {
    struct annals_text *to = tag == FILE_TAG_CHECKSUM        ? &checksum
                             : tag == FILE_TAG_CHECKSUM_NAME ? &name
                                                             : &other;
    if (!take_text(edit, to)) {
      return false;
    }
  }
  set_checksum(file, name, checksum);
  return tag == FILE_TAG_END;
}

/* level, number, size, smallest and largest key, smallest and largest sequence number */
static bool take_new_file(struct edit *edit) {
  struct annals_manifest_file file = {0};
  struct annals_text key;
  bool ok = skip_numbers(edit, 1) && take_number(edit, &file.number) &&
            take_number(edit, &file.size) && take_text(edit, &key) && take_text(edit, &key) &&
            skip_numbers(edit, 2) && take_file_tags(edit, &file);
  g_array_append_val(edit->added, file);
  return ok;
}

static bool skip_blob_tags(struct edit *edit) {
  struct annals_text other;
  uint64_t tag;
  bool ok = take_number(edit, &tag);
  while (ok && tag != BLOB_TAG_END) {
    ok = take_text(edit, &other) && take_number(edit, &tag);
  }
  return ok;
}

/* number, how many values, their bytes, name and value of the checksum */
static bool take_new_blob_file(struct edit *edit) {
  struct annals_manifest_file file = {.blob = true};
  struct annals_text name = {0};
  struct annals_text checksum = {0};
  bool ok = take_number(edit, &file.number) && take_number(edit, &file.value_count) &&
            skip_numbers(edit, 1) && take_text(edit, &name) && take_text(edit, &checksum) &&
            skip_blob_tags(edit);
  set_checksum(&file, name, checksum);
  g_array_append_val(edit->added, file);
  return ok;
}

/* number, how many values are not needed any more, their bytes. A file goes with its last value. */
static bool take_blob_garbage(struct edit *edit) {
  uint64_t number = 0;
  uint64_t count = 0;
  bool ok = take_number(edit, &number) && take_number(edit, &count) && skip_numbers(edit, 1) &&
            skip_blob_tags(edit);
  struct annals_manifest_file *file = g_hash_table_lookup(edit->manifest->files, &number);
  if (ok && file != NULL && file->blob) {
    file->value_count -= MIN(count, file->value_count);
    if (file->value_count == 0) {
      g_hash_table_remove(edit->manifest->files, &number);
    }
  }
  return ok;
}

static bool take_deleted_file(struct edit *edit) {
  uint64_t number = 0;
  bool ok = skip_numbers(edit, 1) && take_number(edit, &number);
  g_hash_table_remove(edit->manifest->files, &number);
  return ok;
}

static bool take_family(struct edit *edit) {
  uint64_t number = 0;
  bool ok = take_number(edit, &number);
  edit->family = (uint32_t)number;
  return ok;
}

static bool take_family_name(struct edit *edit) {
  struct annals_text name;
  if (!take_text(edit, &name)) {
    return false;
  }
  g_hash_table_insert(edit->manifest->families, GUINT_TO_POINTER(edit->family),
                      g_strndup((const char *)name.bytes, name.size));
  return true;
}

static bool take_tag(struct edit *edit, uint64_t tag) {
  struct annals_text text;
  switch (tag) {
    case TAG_LOG_NUMBER:
      edit->has_log_number = true;
      return take_number(edit, &edit->log_number);
    case TAG_NEXT_FILE_NUMBER:
      return take_number(edit, &edit->next_file_number);
    case TAG_MIN_LOG_NUMBER:
      return take_number(edit, &edit->kept_log_number);
    case TAG_MAX_FAMILY:
      return take_number(edit, &edit->last_family);
    case TAG_LAST_SEQUENCE:
    case TAG_PREV_LOG_NUMBER:
    case TAG_IN_ATOMIC_GROUP:
      return skip_numbers(edit, 1);
    case TAG_COMPACT_CURSOR:
      return skip_numbers(edit, 1) && take_text(edit, &text);
    case TAG_COMPARATOR:
      return take_text(edit, &text);
    case TAG_DELETED_FILE:
      return take_deleted_file(edit);
    case TAG_NEW_FILE:
      return take_new_file(edit);
    case TAG_NEW_BLOB_FILE:
      return take_new_blob_file(edit);
    case TAG_BLOB_GARBAGE:
      return take_blob_garbage(edit);
    case TAG_FAMILY:
      return take_family(edit);
    case TAG_FAMILY_ADD:
      return take_family_name(edit);
    case TAG_FAMILY_DROP:
      edit->dropped = true;
      return true;
    default:
      return tag >= TAG_SAFE && take_text(edit, &text);
  }
}

static gboolean is_of_family(gpointer number, gpointer file, gpointer family) {
  (void)number;
  return ((const struct annals_manifest_file *)file)->family == GPOINTER_TO_UINT(family);
}

/* Its files are not named one by one. */
static void drop_family(struct reading *reading, uint32_t family) {
  gpointer number = GUINT_TO_POINTER(family);
  g_hash_table_foreach_remove(reading->manifest->files, is_of_family, number);
  g_hash_table_remove(reading->manifest->families, number);
  g_hash_table_remove(reading->log_numbers, number);
}

/* The first edits of a MANIFEST, which sum up the one before, do not tell the next file's number.
 */
static void apply_numbers(struct annals_manifest *manifest, const struct edit *edit) {
  const uint32_t family = MAX(edit->family, (uint32_t)edit->last_family);
  manifest->last_family = MAX(manifest->last_family, family);
  manifest->next_file_number = MAX(manifest->next_file_number, edit->next_file_number);
  /* Until it says what may go, nothing does. */
  const bool first = manifest->kept_log_number == 0;
  const uint64_t kept =
      edit->kept_log_number == 0 && first ? edit->log_number : edit->kept_log_number;
  if (kept != 0 && kept != manifest->kept_log_number) {
    manifest->kept_log_number = kept;
    manifest->kept_log_end = 0;
  }
  if (manifest->kept_log_end == 0) {
    manifest->kept_log_end = edit->next_file_number;
  }
}

/* The family of an edit may stand behind its files. */
static void apply(struct reading *reading, struct edit *edit) {
  for (guint i = 0; i < edit->added->len; i++) {
    struct annals_manifest_file *file = g_new(struct annals_manifest_file, 1);
    *file = g_array_index(edit->added, struct annals_manifest_file, i);
    file->family = edit->family;
    g_hash_table_replace(edit->manifest->files, &file->number, file);
  }
  apply_numbers(reading->manifest, edit);
  if (edit->has_log_number) {
    uint64_t *number = g_new(uint64_t, 1);
    *number = edit->log_number;
    g_hash_table_replace(reading->log_numbers, GUINT_TO_POINTER(edit->family), number);
  }
  if (edit->dropped) {
    drop_family(reading, edit->family);
  }
}

static bool take_edit(struct annals_record_log *log, const uint8_t *bytes, size_t size) {
  struct reading *reading = log->owner;
  struct edit edit = {
      .manifest = reading->manifest,
      .rest = {bytes, size},
      .added = g_array_new(FALSE, FALSE, sizeof(struct annals_manifest_file)),
  };
  bool ok = true;
  while (ok && edit.rest.size > 0) {
    uint64_t tag;
    ok = take_number(&edit, &tag) && take_tag(&edit, tag);
  }
  if (ok) {
    apply(reading, &edit);
  } else {
    g_strlcpy(log->detail, "an edit that is none", sizeof log->detail);
  }
  g_array_unref(edit.added);
  return ok;
}

/* What the families say of logs: the oldest that any needs, the newest that one was begun with. */
static void set_log_numbers(struct annals_manifest *manifest, GHashTable *log_numbers) {
  uint64_t oldest = UINT64_MAX;
  GHashTableIter iter;
  gpointer number;
  g_hash_table_iter_init(&iter, log_numbers);
  while (g_hash_table_iter_next(&iter, NULL, &number)) {
    oldest = MIN(oldest, *(uint64_t *)number);
    manifest->newest_log_number = MAX(manifest->newest_log_number, *(uint64_t *)number);
  }
  manifest->oldest_log_number = oldest == UINT64_MAX ? 0 : oldest;
}

static bool read_edits(struct annals_manifest *manifest, GError **error) {
  struct reading reading = {
      .manifest = manifest,
      .log_numbers = g_hash_table_new_full(NULL, NULL, NULL, g_free),
  };
  struct annals_record_log log = {.on_record = take_edit, .owner = &reading};
  enum annals_record_log_end end = annals_record_log_read(&log, manifest->path);
  manifest->size = log.offset;
  set_log_numbers(manifest, reading.log_numbers);
  g_hash_table_unref(reading.log_numbers);
  if (end == ANNALS_RECORD_LOG_WHOLE || end == ANNALS_RECORD_LOG_TORN) {
    return true;
  }
  g_autofree char *name = g_path_get_basename(manifest->path);
  bool failed = end == ANNALS_RECORD_LOG_FAILED;
  g_set_error(error, ANNALS_ROCKSDB_ERROR,
              failed ? ANNALS_ROCKSDB_ERROR_FAILED : ANNALS_ROCKSDB_ERROR_CORRUPT,
              "%s: %s at byte %" G_GUINT64_FORMAT, name, log.detail, log.offset);
  return false;
}

/* "MANIFEST-000005\n": at least six digits. */
static bool is_current(const char *text, size_t size) {
  size_t prefix = strlen(NAME_PREFIX);
  return strlen(text) == size && g_str_has_prefix(text, NAME_PREFIX) && size >= prefix + 7 &&
         strspn(text + prefix, "0123456789") == size - prefix - 1 && text[size - 1] == '\n';
}

static bool find_manifest(const char *dir, char **ret_path, GError **error) {
  g_autofree char *current = g_build_filename(dir, "CURRENT", NULL);
  g_autofree char *text = NULL;
  gsize size;
  g_autoptr(GError) why = NULL;
  if (!g_file_get_contents(current, &text, &size, &why)) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FAILED, "CURRENT: %s",
                why->message);
    return false;
  }
  if (!is_current(text, size)) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_CORRUPT,
                "CURRENT: it names no MANIFEST");
    return false;
  }
  text[size - 1] = '\0';
  *ret_path = g_build_filename(dir, text, NULL);
  if (!g_file_test(*ret_path, G_FILE_TEST_EXISTS)) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_CORRUPT,
                "CURRENT: it names %s, which is not there", text);
    g_clear_pointer(ret_path, g_free);
    return false;
  }
  return true;
}

bool annals_manifest_read(const char *dir, struct annals_manifest *ret_manifest, GError **error) {
  struct annals_manifest manifest = {0};
  if (!find_manifest(dir, &manifest.path, error)) {
    return false;
  }
  manifest.files = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
  manifest.families = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  if (!read_edits(&manifest, error)) {
    annals_manifest_clear(&manifest);
    return false;
  }
  *ret_manifest = manifest;
  return true;
}

void annals_manifest_clear(struct annals_manifest *manifest) {
  g_clear_pointer(&manifest->path, g_free);
  g_clear_pointer(&manifest->files, g_hash_table_unref);
  g_clear_pointer(&manifest->families, g_hash_table_unref);
}

const char *annals_manifest_family(const struct annals_manifest *manifest, uint32_t number) {
  const char *name = g_hash_table_lookup(manifest->families, GUINT_TO_POINTER(number));
  return name != NULL ? name : number == 0 ? "default" : "?";
}
