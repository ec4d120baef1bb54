#include "storage/rocksdb/ballast.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum annals_ballast annals_ballast_look(const char *path, uint64_t bytes) {
  struct stat status;
  if (stat(path, &status) != 0) {
    return ANNALS_BALLAST_ABSENT;
  }
  if (status.st_size == 0) {
    return ANNALS_BALLAST_GIVEN_BACK;
  }
  return (uint64_t)status.st_size == bytes ? ANNALS_BALLAST_WHOLE : ANNALS_BALLAST_ABSENT;
}

/* Under another name at first: half a ballast must not pass for a whole one. */
bool annals_ballast_make(const char *path, uint64_t bytes) {
  g_autofree char *draft = g_strconcat(path, ".new", NULL);
  int file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    return false;
  }
  bool ok = posix_fallocate(file, 0, (off_t)bytes) == 0;
  close(file);
  ok = ok && rename(draft, path) == 0;
  if (!ok) {
    unlink(draft);
  }
  return ok;
}

bool annals_ballast_give_back(const char *path) {
  return truncate(path, 0) == 0;
}
