#include "storage/rocksdb/disk.h"

#include <sys/statvfs.h>

uint64_t annals_disk_free_bytes(const struct annals_disk *disk, const char *path) {
  if (disk->hooks.free_bytes != NULL) {
    return disk->hooks.free_bytes(disk->hooks.data);
  }
  struct statvfs fs;
  if (statvfs(path, &fs) != 0) {
    return UINT64_MAX;
  }
  /* What this process may use: root's reserve is not ours. */
  return (uint64_t)fs.f_bavail * fs.f_frsize;
}

enum annals_disk_room annals_disk_room(const struct annals_disk *disk) {
  if (disk->min_free_bytes == 0) {
    return ANNALS_DISK_FOR_ALL;
  }
  uint64_t bytes = annals_disk_free_bytes(disk, disk->path);
  if (bytes < disk->min_free_bytes / 2) {
    return ANNALS_DISK_NO_ROOM;
  }
  return bytes < disk->min_free_bytes ? ANNALS_DISK_FOR_DELETIONS : ANNALS_DISK_FOR_ALL;
}

uint64_t annals_disk_size_bytes(const struct annals_disk *disk) {
  struct statvfs fs;
  return statvfs(disk->path, &fs) == 0 ? (uint64_t)fs.f_blocks * fs.f_frsize : 0;
}
