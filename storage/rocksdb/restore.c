#include "storage/rocksdb/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/rocksdb/backup_files.h"
#include "storage/rocksdb/backup_place.h"
#include "storage/rocksdb/crc32c.h"
#include "storage/rocksdb/data_dir.h"
#include "storage/rocksdb/rocksdb_store.h"

enum {
  DIRECTORY_MODE = 0700,
  FILE_MODE = 0600,
  COPY_BYTES = 1 << 20,
};

GQuark annals_restore_error_quark(void) {
  return g_quark_from_static_string("annals-restore-error");
}

/* Fails with errno's text. */
static bool set_failed(GError **error, const char *what, const char *path) {
  g_set_error(error, ANNALS_RESTORE_ERROR, ANNALS_RESTORE_ERROR_FAILED, "cannot %s %s: %s", what,
              path, g_strerror(errno));
  return false;
}

/* Gives an error of another domain ours. */
static bool take_error(GError **error, int code, GError *from) {
  g_set_error_literal(error, ANNALS_RESTORE_ERROR, code, from->message);
  g_error_free(from);
  return false;
}

/* ---- files --------------------------------------------------------------------------------- */

/* Where a restore is. */
struct progress {
  struct annals_restore *restore;
  char *store;  /* where the files go; NULL: only check */
  guint faults; /* of files */
  uint8_t *bytes;
};

static void fault(struct progress *progress, const char *file, const char *text) {
  progress->faults++;
  progress->restore->on_fault(progress->restore, file, text);
}

static bool write_all(int fd, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, bytes, size);
    if (written < 0 && errno != EINTR) {
      return false;
    }
    bytes += MAX(written, 0);
    size -= (size_t)MAX(written, 0);
  }
  return true;
}

/* Copies from one file to the other, -1 for none. Returns false when that one cannot be written. */
static bool copy_bytes(struct progress *progress, const struct annals_backup_file *file, int from,
                       int to) {
  uint32_t checksum = 0;
  ssize_t size;
  while ((size = read(from, progress->bytes, COPY_BYTES)) != 0) {
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      fault(progress, file->path, g_strerror(errno));
      return true;
    }
    checksum = annals_crc32c_extend(checksum, progress->bytes, (size_t)size);
    progress->restore->info.size_bytes += size;
    if (to >= 0 && !write_all(to, progress->bytes, (size_t)size)) {
      return false;
    }
  }
  if (checksum != file->checksum) {
    fault(progress, file->path, "its checksum is not the one that the backup was made with");
  }
  return to < 0 || fsync(to) == 0;
}

static bool copy_to(struct progress *progress, const struct annals_backup_file *file, int from,
                    GError **error) {
  g_autofree char *path = g_build_filename(progress->store, file->name, NULL);
  int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
  bool ok = to >= 0 && copy_bytes(progress, file, from, to);
  ok = ok || set_failed(error, "write", path);
  if (to >= 0) {
    close(to);
  }
  return ok;
}

/* Copies one file and checks it. What is wrong with it is a fault, and no failure. */
static bool copy_file(struct progress *progress, const struct annals_backup_file *file,
                      GError **error) {
  g_autofree char *path = g_build_filename(progress->restore->backups, file->path, NULL);
  int from = open(path, O_RDONLY | O_CLOEXEC);
  if (from < 0) {
    fault(progress, file->path, g_strerror(errno));
    return true;
  }
  bool ok = progress->store == NULL ? copy_bytes(progress, file, from, -1)
                                    : copy_to(progress, file, from, error);
  close(from);
  return ok;
}

/* Returns false with an error; also where there were faults. */
static bool copy_files(struct progress *progress, const struct annals_backup_files *files,
                       GError **error) {
  for (guint i = 0; i < files->files->len; i++) {
    if (!copy_file(progress, &g_array_index(files->files, struct annals_backup_file, i), error)) {
      return false;
    }
  }
  if (progress->faults > 0) {
    g_set_error(error, ANNALS_RESTORE_ERROR, ANNALS_RESTORE_ERROR_DAMAGED,
                "backup %" G_GINT64_FORMAT " is damaged: %u of its %u files",
                progress->restore->info.id, progress->faults, files->files->len);
    return false;
  }
  return true;
}

/* ---- the data directory -------------------------------------------------------------------- */

static void remove_tree(const char *path) {
  GDir *directory = g_dir_open(path, 0, NULL);
  const char *name;
  while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
    g_autofree char *below = g_build_filename(path, name, NULL);
    if (g_unlink(below) != 0) {
      remove_tree(below);
    }
  }
  g_clear_pointer(&directory, g_dir_close);
  (void)g_rmdir(path);
}

/* Tells what may be there: a file system of its own has a lost+found from its beginning, and a
 * restore that was cut short leaves what the next one begins anew. */
static bool may_be_there(const char *name, bool was_cut_short) {
  return strcmp(name, "lost+found") == 0 || strcmp(name, ANNALS_DATA_DIR_RESTORING) == 0 ||
         (was_cut_short && strcmp(name, ANNALS_DATA_DIR_TOKEN_KEY) == 0);
}

static bool check_empty(const char *path, const char *staging, GError **error) {
  bool was_cut_short = g_file_test(staging, G_FILE_TEST_EXISTS);
  GDir *directory = g_dir_open(path, 0, NULL);
  const char *name = NULL;
  while (directory != NULL && (name = g_dir_read_name(directory)) != NULL &&
         may_be_there(name, was_cut_short)) {
  }
  if (name != NULL) {
    g_set_error(error, ANNALS_RESTORE_ERROR, ANNALS_RESTORE_ERROR_NOT_EMPTY,
                "%s is not empty: it has %s", path, name);
  } else if (directory == NULL) {
    set_failed(error, "read", path);
  }
  bool empty = directory != NULL && name == NULL;
  g_clear_pointer(&directory, g_dir_close);
  return empty;
}

static bool check_room(const struct annals_restore *restore,
                       const struct annals_backup_files *files, GError **error) {
  uint64_t needed = 0;
  for (guint i = 0; i < files->files->len; i++) {
    const struct annals_backup_file *file =
        &g_array_index(files->files, struct annals_backup_file, i);
    g_autofree char *path = g_build_filename(restore->backups, file->path, NULL);
    struct stat about;
    needed += stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
  }
  struct statvfs fs;
  if (statvfs(restore->data_dir, &fs) != 0) {
    return true; /* the writes will tell */
  }
  uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
  if (free_bytes < needed) {
    g_set_error(error, ANNALS_RESTORE_ERROR, ANNALS_RESTORE_ERROR_FAILED,
                "%s has no room: %" G_GUINT64_FORMAT " MiB are needed, %" G_GUINT64_FORMAT
                " MiB are free",
                restore->data_dir, needed >> 20, free_bytes >> 20);
    return false;
  }
  return true;
}

/* Opens the store once: its log is read, and what is in it goes into tables. */
static bool try_store(const char *path, GError **error) {
  const struct annals_rocksdb_options options = {.path = path, .from_backup = true};
  struct annals_store *store;
  GError *why = NULL;
  if (!annals_rocksdb_open(&options, &store, &why)) {
    return take_error(error, ANNALS_RESTORE_ERROR_DAMAGED, why);
  }
  store->ops->close(store);
  return true;
}

/* Takes the key of page tokens out of the backups, if they have it. */
static bool take_token_key(const struct annals_restore *restore, GError **error) {
  g_autofree char *key = g_build_filename(restore->backups, ANNALS_DATA_DIR_TOKEN_KEY, NULL);
  GError *why = NULL;
  if (!g_file_test(key, G_FILE_TEST_EXISTS) ||
      annals_backup_copy_beside(key, restore->data_dir, &why)) {
    return true;
  }
  return take_error(error, ANNALS_RESTORE_ERROR_FAILED, why);
}

/* Puts in place what has been restored: the store last, as it makes the directory one. */
static bool put_in_place(const struct annals_restore *restore, const char *store, GError **error) {
  g_autofree char *to = g_build_filename(restore->data_dir, ANNALS_DATA_DIR_STORE, NULL);
  GError *why = NULL;
  if (!annals_backup_sync_directory(store, &why) || !take_token_key(restore, &why)) {
    return take_error(error, ANNALS_RESTORE_ERROR_FAILED, why);
  }
  if (g_rename(store, to) != 0) {
    return set_failed(error, "rename to", to);
  }
  return annals_backup_sync_directory(restore->data_dir, &why) ||
         take_error(error, ANNALS_RESTORE_ERROR_FAILED, why);
}

/* ---- the restore --------------------------------------------------------------------------- */

static bool restore_to(struct progress *progress, const struct annals_backup_files *files,
                       GError **error) {
  struct annals_restore *restore = progress->restore;
  if (g_mkdir_with_parents(restore->data_dir, DIRECTORY_MODE) != 0) {
    return set_failed(error, "make", restore->data_dir);
  }
  g_autofree char *staging = g_build_filename(restore->data_dir, ANNALS_DATA_DIR_RESTORING, NULL);
  if (!check_empty(restore->data_dir, staging, error)) {
    return false;
  }
  remove_tree(staging);
  progress->store = g_build_filename(staging, ANNALS_DATA_DIR_STORE, NULL);
  if (!check_room(restore, files, error)) {
    return false;
  }
  if (g_mkdir_with_parents(progress->store, DIRECTORY_MODE) != 0) {
    return set_failed(error, "make", progress->store);
  }
  bool ok = copy_files(progress, files, error) && try_store(progress->store, error) &&
            put_in_place(restore, progress->store, error);
  remove_tree(staging);
  return ok;
}

static bool choose(struct annals_restore *restore, GError **error) {
  g_autoptr(GArray) ids = annals_backup_ids(restore->backups);
  GString *known = g_string_new(NULL);
  for (guint i = 0; i < ids->len; i++) {
    int64_t id = g_array_index(ids, int64_t, i);
    g_string_append_printf(known, " %" G_GINT64_FORMAT, id);
    if (id == restore->id || (restore->id == 0 && i + 1 == ids->len)) {
      restore->info.id = id;
    }
  }
  if (restore->info.id == 0 && ids->len == 0) {
    g_set_error(error, ANNALS_RESTORE_ERROR, ANNALS_RESTORE_ERROR_NO_BACKUP,
                "%s has no whole backup", restore->backups);
  } else if (restore->info.id == 0) {
    g_set_error(error, ANNALS_RESTORE_ERROR, ANNALS_RESTORE_ERROR_NO_BACKUP,
                "%s has no backup %" G_GINT64_FORMAT "; it has:%s", restore->backups, restore->id,
                known->str);
  }
  g_string_free(known, TRUE);
  return restore->info.id != 0;
}

static bool run(struct annals_restore *restore, GError **error) {
  struct progress progress = {.restore = restore};
  struct annals_backup_files files;
  char *why = NULL;
  if (!choose(restore, error)) {
    return false;
  }
  if (!annals_backup_files_read(restore->backups, restore->info.id, &files, &why)) {
    g_autofree char *meta = g_strdup_printf("meta/%" G_GINT64_FORMAT, restore->info.id);
    fault(&progress, meta, why);
    g_free(why);
    g_set_error(error, ANNALS_RESTORE_ERROR, ANNALS_RESTORE_ERROR_DAMAGED,
                "backup %" G_GINT64_FORMAT " is damaged: its list of files", restore->info.id);
    return false;
  }
  restore->info.time_s = files.time_s;
  restore->info.file_count = files.files->len;
  progress.bytes = g_malloc(COPY_BYTES);
  bool ok = restore->data_dir != NULL ? restore_to(&progress, &files, error)
                                      : copy_files(&progress, &files, error);
  g_free(progress.bytes);
  g_free(progress.store);
  annals_backup_files_clear(&files);
  return ok;
}

/* Opens the directory of backups; without, says so. */
static bool open_place(const char *backups, struct annals_backup_place *place, GError **error) {
  GError *why = NULL;
  return annals_backup_place_open(backups, place, &why) ||
         take_error(error, ANNALS_RESTORE_ERROR_NO_BACKUP, why);
}

bool annals_rocksdb_restore(struct annals_restore *restore, GError **error) {
  struct annals_backup_place place;
  restore->info = (struct annals_backup_info){0};
  bool ok = open_place(restore->backups, &place, error) && run(restore, error);
  annals_backup_place_close(&place);
  return ok;
}

static void describe(const char *backups, struct annals_backup_info *info) {
  struct annals_backup_files files;
  g_autofree char *why = NULL;
  if (!annals_backup_files_read(backups, info->id, &files, &why)) {
    return;
  }
  info->time_s = files.time_s;
  info->file_count = files.files->len;
  for (guint i = 0; i < files.files->len; i++) {
    g_autofree char *path = g_build_filename(
        backups, g_array_index(files.files, struct annals_backup_file, i).path, NULL);
    struct stat about;
    info->size_bytes += stat(path, &about) == 0 ? about.st_size : 0;
  }
  annals_backup_files_clear(&files);
}

GArray *annals_rocksdb_list_backups(const char *backups, GError **error) {
  struct annals_backup_place place;
  if (!open_place(backups, &place, error)) {
    annals_backup_place_close(&place);
    return NULL;
  }
  g_autoptr(GArray) ids = annals_backup_ids(backups);
  GArray *infos = g_array_new(FALSE, TRUE, sizeof(struct annals_backup_info));
  for (guint i = 0; i < ids->len; i++) {
    struct annals_backup_info info = {.id = g_array_index(ids, int64_t, i)};
    describe(backups, &info);
    g_array_append_val(infos, info);
  }
  annals_backup_place_close(&place);
  return infos;
}
