#include "storage/rocksdb/wals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/rocksdb/record_log.h"
#include "storage/rocksdb/varint.h"

enum {
  NUMBER_BASE = 10,
  BATCH_HEADER_BYTES = 12, /* the number of the first change (8 bytes), how many there are (4) */
};

/* Of the changes of a batch, those that are made here: in which family, a key, and perhaps a value.
 */
enum change_type {
  CHANGE_OF_DEFAULT_DELETE = 0,
  CHANGE_OF_DEFAULT_PUT = 1,
  CHANGE_DELETE = 4,
  CHANGE_PUT = 5,
  CHANGE_OF_DEFAULT_SINGLE_DELETE = 7,
  CHANGE_SINGLE_DELETE = 8,
};

struct wal {
  uint64_t number;
  char *name;
  uint64_t size;
};

/* What reading them one after the other has with it. */
struct reading {
  struct annals_directory_check *check;
  const struct annals_manifest *manifest;
  uint64_t next_change; /* behind those that were read; 0: none was yet */
};

static int compare_wals(gconstpointer a, gconstpointer b) {
  const struct wal *first = a;
  const struct wal *second = b;
  return (first->number > second->number) - (first->number < second->number);
}

static void clear_wal(gpointer data) {
  struct wal *wal = data;
  g_free(wal->name);
}

bool annals_wals_parse_name(const char *name, const char *ending, uint64_t *ret_number) {
  char *end;
  *ret_number = strtoull(name, &end, NUMBER_BASE);
  return end != name && strcmp(end, ending) == 0;
}

/* Lists the logs from a number on, in the order they were written. */
static GArray *find_wals(const struct annals_directory_check *check, uint64_t oldest) {
  GArray *wals = g_array_new(FALSE, TRUE, sizeof(struct wal));
  g_array_set_clear_func(wals, clear_wal);
  g_autoptr(GDir) dir = g_dir_open(check->path, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
    struct wal wal;
    struct stat info = {0};
    g_autofree char *path = g_build_filename(check->path, name, NULL);
    if (annals_wals_parse_name(name, ".log", &wal.number) && wal.number >= oldest &&
        stat(path, &info) == 0) {
      wal.name = g_strdup(name);
      wal.size = (uint64_t)info.st_size;
      g_array_append_val(wals, wal);
    }
  }
  g_array_sort(wals, compare_wals);
  return wals;
}

/* Only the last log may end in a record that was being written; and those that a crash at the start
 * left empty behind it. */
static bool is_last(GArray *wals, guint i) {
  for (guint later = i + 1; later < wals->len; later++) {
    if (g_array_index(wals, struct wal, later).size > 0) {
      return false;
    }
  }
  return true;
}

/* ---- what is in them ----------------------------------------------------------------------- */

/* Takes a change from the front; false: it is none of ours. */
static bool take_change(struct annals_text *rest, uint64_t *ret_family) {
  struct annals_text text;
  const uint8_t type = rest->bytes[0];
  rest->bytes++;
  rest->size--;
  *ret_family = 0;
  switch (type) {
    case CHANGE_PUT:
      return annals_varint_take(rest, ret_family) && annals_varint_take_text(rest, &text) &&
             annals_varint_take_text(rest, &text);
    case CHANGE_DELETE:
    case CHANGE_SINGLE_DELETE:
      return annals_varint_take(rest, ret_family) && annals_varint_take_text(rest, &text);
    case CHANGE_OF_DEFAULT_PUT:
      return annals_varint_take_text(rest, &text) && annals_varint_take_text(rest, &text);
    case CHANGE_OF_DEFAULT_DELETE:
    case CHANGE_OF_DEFAULT_SINGLE_DELETE:
      return annals_varint_take_text(rest, &text);
    default:
      return false;
  }
}

/*
 * A family is in the MANIFEST before there is anything for it in a log. RocksDB would make the one
 * that is missing anew, and pass over what the logs have for it.
 */
static bool check_families(struct annals_record_log *log, struct annals_text changes) {
  const struct reading *reading = log->owner;
  uint64_t family;
  while (changes.size > 0 && take_change(&changes, &family)) {
    if (family > reading->manifest->last_family) {
      g_autofree char *name = g_path_get_basename(reading->manifest->path);
      g_snprintf(log->detail, sizeof log->detail,
                 "column family %" G_GUINT64_FORMAT " is none of %s, whose end must be missing",
                 family, name);
      return false;
    }
  }
  return true;
}

static bool check_place(struct annals_record_log *log, uint64_t first, uint32_t count) {
  struct reading *reading = log->owner;
  const bool gap = reading->next_change > 0 && first > reading->next_change;
  if (gap && !reading->check->logs_may_be_missing) {
    g_snprintf(log->detail, sizeof log->detail,
               "changes %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
               " are missing before the record",
               reading->next_change, first - 1);
    return false;
  }
  reading->next_change = MAX(reading->next_change, first + count);
  return true;
}

static bool take_record(struct annals_record_log *log, const uint8_t *bytes, size_t size) {
  uint64_t first;
  uint32_t count;
  if (size < BATCH_HEADER_BYTES) {
    g_strlcpy(log->detail, "a record that is no batch of changes", sizeof log->detail);
    return false;
  }
  memcpy(&first, bytes, sizeof first);
  memcpy(&count, bytes + sizeof first, sizeof count);
  return check_place(log, GUINT64_FROM_LE(first), GUINT32_FROM_LE(count)) &&
         check_families(
             log, (struct annals_text){bytes + BATCH_HEADER_BYTES, size - BATCH_HEADER_BYTES});
}

/* ---- each, and all of them ----------------------------------------------------------------- */

static void check_wal(struct reading *reading, GArray *wals, guint i) {
  struct annals_directory_check *check = reading->check;
  const struct wal *wal = &g_array_index(wals, struct wal, i);
  g_autofree char *path = g_build_filename(check->path, wal->name, NULL);
  struct annals_record_log log = {.on_record = take_record, .owner = reading};
  enum annals_record_log_end end = annals_record_log_read(&log, path);
  check->file_count++;
  check->bytes += log.offset;
  if (end == ANNALS_RECORD_LOG_DAMAGED || end == ANNALS_RECORD_LOG_STOPPED) {
    annals_directory_fault(check, wal->name, "%s at byte %" G_GUINT64_FORMAT, log.detail,
                           log.offset);
  } else if (end == ANNALS_RECORD_LOG_FAILED && log.error_number != ENOENT) {
    annals_directory_fault(check, wal->name, "it cannot be read: %s", log.detail);
  } else if (end == ANNALS_RECORD_LOG_TORN && !is_last(wals, i)) {
    annals_directory_fault(check, wal->name,
                           "it ends within a record at byte %" G_GUINT64_FORMAT
                           ", and there are later logs",
                           log.offset);
  }
}

/*
 * Tells of a log that is gone: one from a number on, and before another one, was there when the
 * MANIFEST named them. A recovery names the number behind the log that it has read, and when power
 * fails in that moment the new one may have no name yet; the old one has it still.
 */
static void check_there(struct annals_directory_check *check,
                        const struct annals_manifest *manifest, uint64_t first, uint64_t end) {
  g_autoptr(GArray) wals = find_wals(check, MAX(first, 1) - 1);
  if (first == 0 || (wals->len > 0 && g_array_index(wals, struct wal, 0).number < end)) {
    return;
  }
  g_autofree char *name = g_path_get_basename(manifest->path);
  annals_directory_fault(check, name,
                         "a log is missing, %06" G_GUINT64_FORMAT
                         ".log or one before %06" G_GUINT64_FORMAT
                         ".log, or else the end of this file",
                         first, end);
}

void annals_wals_check(struct annals_directory_check *check,
                       const struct annals_manifest *manifest) {
  struct reading reading = {.check = check, .manifest = manifest};
  g_autoptr(GArray) wals =
      find_wals(check, MAX(manifest->oldest_log_number, manifest->kept_log_number));
  for (guint i = 0; i < wals->len; i++) {
    check_wal(&reading, wals, i);
  }
  if (!check->logs_may_be_missing) {
    check_there(check, manifest, manifest->kept_log_number, manifest->kept_log_end);
    check_there(check, manifest, manifest->newest_log_number, manifest->next_file_number);
  }
}
