#include "storage/rocksdb/backup_place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/outcome.h"

#define MARKER "annals-backup"
#define MARKER_HEAD "annals backup 1\n"
#define MARKER_STORE "store "

enum { DIRECTORY_MODE = 0700, FILE_MODE = 0600 };

static bool set_file_error(GError **error, const char *what, const char *path) {
  int why = errno;
  g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(why), "%s %s: %s", what, path,
              g_strerror(why));
  return false;
}

/* ---- the directory ------------------------------------------------------------------------- */

/* Goes one directory down, making it if need be. Takes parent over; returns -1 with errno. */
static int descend(int parent, const char *name) {
  int fd = -1;
  if (mkdirat(parent, name, DIRECTORY_MODE) == 0 ? fsync(parent) == 0 : errno == EEXIST) {
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  int why = errno;
  close(parent);
  errno = why;
  return fd;
}

/* Opens the directory, making it if need be; symbolic links are not followed below the root. */
static int open_directory(const struct annals_store_backup *request) {
  g_auto(GStrv) names = g_strsplit(request->directory, "/", -1);
  int fd = open(request->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (char **name = names; fd >= 0 && *name != NULL; name++) {
    if (**name != '\0') {
      fd = descend(fd, *name);
    }
  }
  return fd;
}

/* Whether nothing is there but what a marker that was cut short left behind. */
static bool is_unused(const char *path) {
  GDir *directory = g_dir_open(path, 0, NULL);
  const char *name = NULL;
  while (directory != NULL && (name = g_dir_read_name(directory)) != NULL &&
         g_str_has_prefix(name, MARKER)) {
  }
  bool unused = directory != NULL && name == NULL;
  g_clear_pointer(&directory, g_dir_close);
  return unused;
}

/* ---- the marker ---------------------------------------------------------------------------- */

/* Locks the marker. Returns false with errno: EWOULDBLOCK when another has it. */
static bool lock_marker(struct annals_backup_place *place, int how) {
  g_autofree char *path = g_build_filename(place->path, MARKER, NULL);
  place->lock = open(path, O_RDONLY | O_CLOEXEC);
  /* File systems that know no locks keep nobody out. */
  return place->lock >= 0 &&
         (flock(place->lock, how | LOCK_NB) == 0 || errno == ENOLCK || errno == EOPNOTSUPP);
}

/* Gives the store that the marker names, or NULL when it is none. Memory: g_free() it. */
static char *read_marker(const char *path) {
  g_autofree char *file = g_build_filename(path, MARKER, NULL);
  g_autofree char *text = NULL;
  if (!g_file_get_contents(file, &text, NULL, NULL) ||
      !g_str_has_prefix(text, MARKER_HEAD MARKER_STORE)) {
    return NULL;
  }
  return g_strchomp(g_strdup(text + strlen(MARKER_HEAD MARKER_STORE)));
}

static bool write_marker(const char *path, const char *identity, GError **error) {
  g_autofree char *file = g_build_filename(path, MARKER, NULL);
  g_autofree char *text = g_strconcat(MARKER_HEAD MARKER_STORE, identity, "\n", NULL);
  return g_file_set_contents_full(file, text, -1,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  FILE_MODE, error) &&
         annals_backup_sync_directory(path, error);
}

/* Takes hold of a directory that is there. */
static bool take(struct annals_store_backup *request, const char *identity,
                 struct annals_backup_place *place) {
  g_autoptr(GError) error = NULL;
  if (is_unused(place->path) && !write_marker(place->path, identity, &error)) {
    annals_store_op_set(&request->op, ANNALS_STORE_FAILED, error->message);
    return false;
  }
  g_autofree char *owner = read_marker(place->path);
  if (owner == NULL) {
    annals_store_op_set(&request->op, ANNALS_STORE_REFUSED, "is not empty, and holds no backups");
    return false;
  }
  if (strcmp(owner, identity) != 0) {
    annals_store_op_set(&request->op, ANNALS_STORE_REFUSED, "holds backups of another store");
    return false;
  }
  if (!lock_marker(place, LOCK_EX)) {
    bool busy = errno == EWOULDBLOCK;
    annals_store_op_set(&request->op, busy ? ANNALS_STORE_BUSY : ANNALS_STORE_FAILED,
                        g_strerror(errno));
    return false;
  }
  return true;
}

bool annals_backup_place_take(struct annals_store_backup *request, const char *identity,
                              struct annals_backup_place *ret_place) {
  *ret_place = (struct annals_backup_place){
      .path = g_build_filename(request->root, request->directory, NULL),
      .lock = -1,
  };
  int fd = open_directory(request);
  if (fd < 0) {
    bool refused = errno == ENOTDIR || errno == ELOOP;
    g_autofree char *why =
        refused ? g_strdup("leads through a file or a symbolic link")
                : g_strdup_printf("%s cannot be opened: %s", ret_place->path, g_strerror(errno));
    annals_store_op_set(&request->op, refused ? ANNALS_STORE_REFUSED : ANNALS_STORE_FAILED, why);
    return false;
  }
  close(fd);
  return take(request, identity, ret_place);
}

bool annals_backup_place_open(const char *path, struct annals_backup_place *ret_place,
                              GError **error) {
  *ret_place = (struct annals_backup_place){.path = g_strdup(path), .lock = -1};
  g_autofree char *owner = read_marker(path);
  if (owner == NULL) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is no directory of backups", path);
    return false;
  }
  if (lock_marker(ret_place, LOCK_SH)) {
    return true;
  }
  if (errno == EWOULDBLOCK) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN, "a backup is being made in %s", path);
    return false;
  }
  return set_file_error(error, "cannot lock", path);
}

void annals_backup_place_close(struct annals_backup_place *place) {
  if (place->lock >= 0) {
    close(place->lock);
  }
  g_free(place->path);
}

/* ---- files beside -------------------------------------------------------------------------- */

bool annals_backup_sync_directory(const char *path, GError **error) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd >= 0 && fsync(fd) == 0;
  if (!ok) {
    set_file_error(error, "cannot sync", path);
  }
  if (fd >= 0) {
    close(fd);
  }
  return ok;
}

bool annals_backup_copy_beside(const char *file, const char *directory, GError **error) {
  g_autofree char *name = g_path_get_basename(file);
  g_autofree char *to = g_build_filename(directory, name, NULL);
  g_autofree char *bytes = NULL;
  gsize size = 0;
  return g_file_get_contents(file, &bytes, &size, error) &&
         g_file_set_contents_full(to, bytes, (gssize)size,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  FILE_MODE, error) &&
         annals_backup_sync_directory(directory, error);
}
