#include "storage/rocksdb/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/rocksdb/crc32c.h"
#include "storage/rocksdb/record_log.h"

enum { READ_BYTES = 256 << 10, NUMBER_BASE = 10 };

/* A write-ahead log. */
struct wal {
  uint64_t number;
  char *name;
  uint64_t size;
};

G_GNUC_PRINTF(3, 4)
static void fault(struct annals_directory_check *check, const char *file, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  check->on_fault(check, file, text);
}

/* ---- write-ahead logs ---------------------------------------------------------------------- */

static int compare_wals(gconstpointer a, gconstpointer b) {
  const struct wal *first = a;
  const struct wal *second = b;
  return (first->number > second->number) - (first->number < second->number);
}

static void clear_wal(gpointer data) {
  struct wal *wal = data;
  g_free(wal->name);
}

/* Parses 000012.log. */
static bool parse_number(const char *name, const char *ending, uint64_t *ret_number) {
  char *end;
  *ret_number = strtoull(name, &end, NUMBER_BASE);
  return end != name && strcmp(end, ending) == 0;
}

/* Lists the logs that are still needed, in the order they were written. */
static GArray *find_wals(const struct annals_directory_check *check, uint64_t oldest) {
  GArray *wals = g_array_new(FALSE, TRUE, sizeof(struct wal));
  g_array_set_clear_func(wals, clear_wal);
  g_autoptr(GDir) dir = g_dir_open(check->path, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
    struct wal wal;
    struct stat info = {0};
    g_autofree char *path = g_build_filename(check->path, name, NULL);
    if (parse_number(name, ".log", &wal.number) && wal.number >= oldest && stat(path, &info) == 0) {
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

static void check_wal(struct annals_directory_check *check, GArray *wals, guint i) {
  const struct wal *wal = &g_array_index(wals, struct wal, i);
  g_autofree char *path = g_build_filename(check->path, wal->name, NULL);
  struct annals_record_log log = {0};
  enum annals_record_log_end end = annals_record_log_read(&log, path);
  check->file_count++;
  check->bytes += log.offset;
  if (end == ANNALS_RECORD_LOG_DAMAGED) {
    fault(check, wal->name, "%s at byte %" G_GUINT64_FORMAT, log.detail, log.offset);
  } else if (end == ANNALS_RECORD_LOG_FAILED && log.error_number != ENOENT) {
    fault(check, wal->name, "it cannot be read: %s", log.detail);
  } else if (end == ANNALS_RECORD_LOG_TORN && !is_last(wals, i)) {
    fault(check, wal->name,
          "it ends within a record at byte %" G_GUINT64_FORMAT ", and there are later logs",
          log.offset);
  }
}

/* A file that nothing makes before there is CURRENT. */
static bool holds_data(const struct annals_directory_check *check, const char *name) {
  uint64_t number;
  struct stat info = {0};
  g_autofree char *path = g_build_filename(check->path, name, NULL);
  return parse_number(name, ".sst", &number) ||
         (parse_number(name, ".log", &number) && stat(path, &info) == 0 && info.st_size > 0);
}

/* Without CURRENT RocksDB makes a new database, and deletes the files of the old one. */
static bool check_unused(struct annals_directory_check *check) {
  g_autoptr(GDir) dir = g_dir_open(check->path, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
    if (holds_data(check, name)) {
      fault(check, "CURRENT", "it is missing, and there is %s", name);
      return false;
    }
  }
  return true;
}

bool annals_directory_check_logs(struct annals_directory_check *check,
                                 struct annals_manifest *ret_manifest) {
  g_autofree char *current = g_build_filename(check->path, "CURRENT", NULL);
  g_autoptr(GError) error = NULL;
  if (!g_file_test(current, G_FILE_TEST_EXISTS)) {
    *ret_manifest = (struct annals_manifest){0};
    return check_unused(check);
  }
  if (!annals_manifest_read(check->path, ret_manifest, &error)) {
    char *colon = strchr(error->message, ':');
    g_autofree char *file = g_strndup(error->message, (gsize)(colon - error->message));
    check->on_fault(check, file, colon + 2);
    return false;
  }
  check->file_count += 2;
  check->bytes += ret_manifest->size;
  g_autoptr(GArray) wals = find_wals(check, ret_manifest->log_number);
  for (guint i = 0; i < wals->len; i++) {
    check_wal(check, wals, i);
  }
  return true;
}

/* ---- files of tables ----------------------------------------------------------------------- */

static bool read_table(struct annals_directory_check *check, int fd,
                       const struct annals_manifest_file *file, const char *name) {
  g_autofree uint8_t *bytes = g_malloc(READ_BYTES);
  uint32_t crc = 0;
  uint64_t size = 0;
  ssize_t count;
  while ((count = read(fd, bytes, READ_BYTES)) > 0) {
    crc = annals_crc32c_extend(crc, bytes, (size_t)count);
    size += (uint64_t)count;
    check->bytes += (uint64_t)count;
    if (check->on_bytes != NULL && !check->on_bytes(check, (size_t)count)) {
      return false;
    }
  }
  if (count < 0) {
    fault(check, name, "it cannot be read behind byte %" G_GUINT64_FORMAT ": %s", size,
          g_strerror(errno));
  } else if (file->size != 0 && size != file->size) {
    fault(check, name, "it has %" G_GUINT64_FORMAT " bytes and should have %" G_GUINT64_FORMAT,
          size, file->size);
  } else if (file->has_checksum && crc != file->checksum) {
    fault(check, name, "it does not fit its checksum");
  }
  check->file_count++;
  check->unchecked_count += !file->has_checksum;
  return true;
}

static bool check_table(struct annals_directory_check *check,
                        const struct annals_manifest *manifest,
                        const struct annals_manifest_file *file, bool in_use) {
  check->part = annals_manifest_family(manifest, file->family);
  g_autofree char *name =
      g_strdup_printf("%06" G_GUINT64_FORMAT ".%s", file->number, file->blob ? "blob" : "sst");
  g_autofree char *path = g_build_filename(check->path, name, NULL);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno != ENOENT || !in_use) {
      fault(check, name, "it cannot be opened: %s", g_strerror(errno));
    }
    check->part = NULL;
    return true;
  }
  bool go_on = read_table(check, fd, file, name);
  close(fd);
  check->part = NULL;
  return go_on;
}

static int compare_files(gconstpointer a, gconstpointer b) {
  const struct annals_manifest_file *first = *(const struct annals_manifest_file *const *)a;
  const struct annals_manifest_file *second = *(const struct annals_manifest_file *const *)b;
  return (first->number > second->number) - (first->number < second->number);
}

bool annals_directory_check_tables(struct annals_directory_check *check,
                                   const struct annals_manifest *manifest, bool in_use) {
  g_autoptr(GPtrArray) files = g_ptr_array_new();
  GHashTableIter iter;
  gpointer file;
  g_hash_table_iter_init(&iter, manifest->files);
  while (g_hash_table_iter_next(&iter, NULL, &file)) {
    g_ptr_array_add(files, file);
  }
  g_ptr_array_sort(files, compare_files);
  bool go_on = true;
  for (guint i = 0; go_on && i < files->len; i++) {
    go_on = check_table(check, manifest, g_ptr_array_index(files, i), in_use);
  }
  return go_on;
}

void annals_directory_check_table(struct annals_directory_check *check,
                                  const struct annals_manifest *manifest, uint64_t number) {
  const struct annals_manifest_file *file = g_hash_table_lookup(manifest->files, &number);
  if (file != NULL) {
    (void)check_table(check, manifest, file, false);
  }
}
