#include "storage/rocksdb/disk.h"

#include <sys/statvfs.h>

static uint64_t free_bytes(const struct annals_disk *disk) {
  if (disk->hooks.free_bytes != NULL) {
    return disk->hooks.free_bytes(disk->hooks.data);
  }
  struct statvfs fs;
  if (statvfs(disk->path, &fs) != 0) {
    return UINT64_MAX;
  }
  /* What this process may use: root's reserve is not ours. */
  return (uint64_t)fs.f_bavail * fs.f_frsize;
}

bool annals_disk_is_low(const struct annals_disk *disk) {
  return disk->min_free_bytes > 0 && free_bytes(disk) < disk->min_free_bytes;
}
