#include "storage/rocksdb/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/rocksdb/ballast.h"

/* More than the mark and the ballast by a part of the mark is room enough to make it again: what
 * flushes and compactions take for a while must not have it come and go. */
enum { SLACK_PART = 8, OPEN_BYTES = 1 << 20 };

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

static bool is_given_back(const struct annals_disk *disk) {
  /* GLib's macro takes no const. */
  return g_atomic_int_get(&((struct annals_disk *)disk)->given_back) != 0;
}

uint64_t annals_disk_needed_bytes(const struct annals_disk *disk) {
  return disk->min_free_bytes + (is_given_back(disk) ? disk->ballast_bytes : 0);
}

enum annals_disk_room annals_disk_room(const struct annals_disk *disk) {
  if (disk->min_free_bytes == 0) {
    return ANNALS_DISK_FOR_ALL;
  }
  uint64_t bytes = annals_disk_free_bytes(disk, disk->path);
  if (bytes < disk->min_free_bytes / 2) {
    return ANNALS_DISK_NO_ROOM;
  }
  return bytes < annals_disk_needed_bytes(disk) ? ANNALS_DISK_FOR_DELETIONS : ANNALS_DISK_FOR_ALL;
}

/* Says so first: appends must not see the room before they know what it is for. */
static void give_back(struct annals_disk *disk) {
  g_atomic_int_set(&disk->given_back, 1);
  if (!annals_ballast_give_back(disk->ballast_path)) {
    g_atomic_int_set(&disk->given_back, 0);
  }
}

static bool is_short(const struct annals_disk *disk) {
  return annals_disk_free_bytes(disk, disk->path) < disk->min_free_bytes / 2;
}

void annals_disk_begin(struct annals_disk *disk) {
  enum annals_ballast ballast = annals_ballast_look(disk->ballast_path, disk->ballast_bytes);
  if (annals_disk_ballast_wanted_bytes(disk) == 0 || ballast == ANNALS_BALLAST_ABSENT) {
    unlink(disk->ballast_path); /* of other options */
  } else if (ballast == ANNALS_BALLAST_GIVEN_BACK) {
    disk->given_back = 1;
  } else if (is_short(disk)) {
    give_back(disk);
  }
}

bool annals_disk_is_full(const struct annals_disk *disk) {
  g_autofree char *path = g_build_filename(disk->path, "ROOM", NULL);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    return errno == ENOSPC || errno == EDQUOT;
  }
  int errnum = posix_fallocate(file, 0, OPEN_BYTES);
  close(file);
  unlink(path);
  return errnum == ENOSPC || errnum == EDQUOT;
}

enum annals_disk_room annals_disk_look(struct annals_disk *disk) {
  if (annals_disk_ballast_wanted_bytes(disk) == 0) {
    return annals_disk_room(disk);
  }
  const uint64_t enough =
      disk->min_free_bytes + disk->min_free_bytes / SLACK_PART + disk->ballast_bytes;
  bool whole = annals_ballast_look(disk->ballast_path, disk->ballast_bytes) == ANNALS_BALLAST_WHOLE;
  if (whole && is_short(disk)) {
    give_back(disk);
  } else if (!whole && annals_disk_free_bytes(disk, disk->path) >= enough &&
             annals_ballast_make(disk->ballast_path, disk->ballast_bytes)) {
    g_atomic_int_set(&disk->given_back, 0);
  }
  return annals_disk_room(disk);
}

uint64_t annals_disk_ballast_wanted_bytes(const struct annals_disk *disk) {
  return disk->min_free_bytes == 0 ? 0 : disk->ballast_bytes;
}

uint64_t annals_disk_ballast_bytes(const struct annals_disk *disk) {
  uint64_t wanted = annals_disk_ballast_wanted_bytes(disk);
  bool whole =
      wanted > 0 && annals_ballast_look(disk->ballast_path, wanted) == ANNALS_BALLAST_WHOLE;
  return whole ? wanted : 0;
}

uint64_t annals_disk_size_bytes(const struct annals_disk *disk) {
  struct statvfs fs;
  return statvfs(disk->path, &fs) == 0 ? (uint64_t)fs.f_blocks * fs.f_frsize : 0;
}
