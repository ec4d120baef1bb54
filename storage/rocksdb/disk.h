/*
 * Whether there is room to write.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DISK_H_
#define ANNALS_STORAGE_ROCKSDB_DISK_H_

#include "storage/rocksdb/rocksdb_store.h"

G_BEGIN_DECLS

struct annals_disk {
  char *path;
  uint64_t min_free_bytes;
  struct annals_rocksdb_hooks hooks;
};

/* Tells whether less than min_free_bytes are free. A disk that does not say is not low: the write
 * will tell. Cost: a statvfs. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_disk_is_low(const struct annals_disk *disk);

G_END_DECLS

#endif
