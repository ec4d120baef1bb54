#include "storage/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool annals_dir_sync(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  bool ok = fsync(fd) == 0;
  int why = errno;
  close(fd);
  errno = why;
  return ok;
}

/* Makes path, and what it stands in. One that is there already is fine. */
static bool make(const char *path, int mode) {
  if (mkdir(path, (mode_t)mode) == 0) {
    return true;
  }
  if (errno == ENOENT) {
    g_autofree char *missing = g_path_get_dirname(path);
    return annals_dir_make(missing, mode) && mkdir(path, (mode_t)mode) == 0;
  }
  struct stat stat_buffer;
  if (errno == EEXIST && stat(path, &stat_buffer) == 0 && !S_ISDIR(stat_buffer.st_mode)) {
    errno = ENOTDIR;
  }
  return errno == EEXIST;
}

bool annals_dir_make(const char *path, int mode) {
  if (!make(path, mode)) {
    return false;
  }
  g_autofree char *parent = g_path_get_dirname(path);
  /* It may have been made by who was killed before this. Who may not read the parent has not made
   * it, or will be told by whatever reads it. */
  return annals_dir_sync(parent) || errno == EACCES;
}
