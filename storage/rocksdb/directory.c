#include "storage/rocksdb/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/rocksdb/crc32c.h"
#include "storage/rocksdb/wals.h"

enum { READ_BYTES = 256 << 10 };

void annals_directory_fault(struct annals_directory_check *check, const char *file,
                            const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  check->on_fault(check, file, text);
}

/* ---- CURRENT and logs ---------------------------------------------------------------------- */

/* Finds a file that holds data: a table, or a log that something was written to. NULL: none is. */
static char *find_data(const struct annals_directory_check *check) {
  g_autoptr(GDir) dir = g_dir_open(check->path, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
    uint64_t number;
    struct stat info = {0};
    g_autofree char *path = g_build_filename(check->path, name, NULL);
    if (annals_wals_parse_name(name, ".sst", &number) ||
        (annals_wals_parse_name(name, ".log", &number) && stat(path, &info) == 0 &&
         info.st_size > 0)) {
      return g_strdup(name);
    }
  }
  return NULL;
}

/* Without CURRENT RocksDB makes a new database, and deletes the files of the old one. */
static bool check_no_current(struct annals_directory_check *check) {
  g_autofree char *name = find_data(check);
  if (name != NULL) {
    annals_directory_fault(check, "CURRENT", "it is missing, and there is %s", name);
  }
  return name == NULL;
}

/* Nothing is written before there are column families and their logs. Others' databases may have
 * none, but they have tables, or RocksDB says what it reads from their logs. */
static void check_beginning(struct annals_directory_check *check,
                            const struct annals_manifest *manifest) {
  if (manifest->newest_log_number > 0 || g_hash_table_size(manifest->files) > 0) {
    return;
  }
  g_autofree char *name = find_data(check);
  if (name != NULL && g_str_has_suffix(name, ".sst")) {
    g_autofree char *base = g_path_get_basename(manifest->path);
    annals_directory_fault(check, base, "it ends before there is anything, and there is %s", name);
  }
}

bool annals_directory_check_logs(struct annals_directory_check *check,
                                 struct annals_manifest *ret_manifest) {
  g_autofree char *current = g_build_filename(check->path, "CURRENT", NULL);
  g_autoptr(GError) error = NULL;
  if (!g_file_test(current, G_FILE_TEST_EXISTS)) {
    *ret_manifest = (struct annals_manifest){0};
    return check_no_current(check);
  }
  if (!annals_manifest_read(check->path, ret_manifest, &error)) {
    char *colon = strchr(error->message, ':');
    g_autofree char *file = g_strndup(error->message, (gsize)(colon - error->message));
    check->on_fault(check, file, colon + 2);
    return false;
  }
  check->file_count += 2;
  check->bytes += ret_manifest->size;
  check_beginning(check, ret_manifest);
  annals_wals_check(check, ret_manifest);
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
    annals_directory_fault(check, name, "it cannot be read behind byte %" G_GUINT64_FORMAT ": %s",
                           size, g_strerror(errno));
  } else if (file->size != 0 && size != file->size) {
    annals_directory_fault(check, name,
                           "it has %" G_GUINT64_FORMAT " bytes and should have %" G_GUINT64_FORMAT,
                           size, file->size);
  } else if (file->has_checksum && crc != file->checksum) {
    annals_directory_fault(check, name, "it does not fit its checksum");
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
      annals_directory_fault(check, name, "it cannot be opened: %s", g_strerror(errno));
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
