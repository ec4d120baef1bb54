/*
 * The version of what a database holds: of the layout of keys and values, and of what is in them.
 *
 *   1   histories and records; who stands in no list is in none
 *   2   every execution stands in all lists that its record tells, with that record, and the record
 *       is what its history says
 *   3   the same, and events may be encrypted, by data keys whose records stand behind them
 *
 * It stands under a key of its own, in the family `default`. A database of an older version is made
 * one of this when it is opened; that may be cut short, and is begun again at the next open. One of
 * a newer version is refused: nobody knows what this program would break. A database gets version 3
 * with its first data key, and so is older programs' as long as nothing in it is encrypted.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_SCHEMA_VERSION_H_
#define ANNALS_STORAGE_ROCKSDB_SCHEMA_VERSION_H_

#include "storage/rocksdb/database.h"

G_BEGIN_DECLS

enum {
  ANNALS_SCHEMA_VERSION_OLDEST = 1,
  ANNALS_SCHEMA_VERSION = 2,           /* what a database is made */
  ANNALS_SCHEMA_VERSION_ENCRYPTED = 3, /* what it becomes */
};

/*
 * Reads the version; 0 where an empty database has none. Errors: ANNALS_ROCKSDB_ERROR; FOREIGN for
 * what is no version, or one that is newer than this program.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_schema_version_read(const struct annals_database *database, const char *path,
                                int *ret_version, GError **error);

/* Makes the version ANNALS_SCHEMA_VERSION, unless it is above that. It is durable. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_schema_version_put(const struct annals_database *database, const char *path,
                               GError **error);

/* Makes the version ANNALS_SCHEMA_VERSION_ENCRYPTED, with what else a batch writes. */
void annals_schema_version_batch(rocksdb_writebatch_t *batch);

/* Makes a database that was just opened one of this version. Errors: as annals_rocksdb_open. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_schema_version_settle(const struct annals_database *database,
                                  const struct annals_rocksdb_options *options, GError **error);

G_END_DECLS

#endif
