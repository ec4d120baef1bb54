/*
 * Checks and repairs the directory of a store that nobody has open.
 *
 * Floor 1. For programs that work on such a directory.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_ROCKSDB_VERIFY_H_
#define ANNALS_STORAGE_ROCKSDB_ROCKSDB_VERIFY_H_

#include "storage/rocksdb/rocksdb_store.h"
#include "storage/verify.h"

G_BEGIN_DECLS

enum annals_rocksdb_repair {
  ANNALS_ROCKSDB_REPAIR_NONE, /* nothing is changed */
  ANNALS_ROCKSDB_REPAIR_DRY,  /* nor here; faults say whether a repair would do away with them */
  ANNALS_ROCKSDB_REPAIR,      /* records and lists are made what histories say; these are not
                                 changed. A database of an older schema version gets this one. */
};

/*
 * Checks a store's directory, on the caller's thread. Where files are so damaged that the database
 * cannot be opened, that is a fault, and all that was checked are the files. A repair may be cut
 * short anywhere, and run again.
 *
 * verify: as for the operation of that name; op's on_done is not called. Its outcome is OK when all
 *   was checked, CORRUPT when the database could not be opened, UNAVAILABLE when on_progress had
 *   enough.
 * Errors: ANNALS_ROCKSDB_ERROR, when nothing could be checked: IN_USE, DENIED, FOREIGN (no store,
 * or of a schema version that is not this program's), FAILED. Cost: reads everything, the tables
 * twice.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_verify(const char *path, enum annals_rocksdb_repair repair,
                           struct annals_store_verify *verify, GError **error);

G_END_DECLS

#endif
