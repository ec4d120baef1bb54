/*
 * Finds what a deletion has to delete: the keys of a history.
 *
 * That takes reads, so a worker does it before the deletion is queued; the writer, which never
 * reads, checks that the history is still the one whose keys they are. It is if it ends where the
 * deletion expects, and its tail, which stays pinned, was not changed meanwhile.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DELETION_H_
#define ANNALS_STORAGE_ROCKSDB_DELETION_H_

#include "storage/rocksdb/reader.h"

G_BEGIN_DECLS

struct annals_deletion {
  struct annals_store_delete *request;
  uint64_t since;       /* the moment before the keys were read */
  GArray *keys;         /* struct annals_key */
  uint64_t value_bytes; /* what they hold */
};

/*
 * Collects the keys. Memory: the caller unrefs deletion->keys, which is NULL on failure.
 *
 * Cost: reads the history, which RocksDB does not tell from its keys.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_status annals_deletion_collect(struct annals_deletion *deletion,
                                           struct annals_reader *reader);

/* Returns about how many bytes the deletion writes. */
size_t annals_deletion_bytes(const struct annals_deletion *deletion);

G_END_DECLS

#endif
