/*
 * Checks the files of a database as files, before and beside RocksDB, which does not notice all
 * that can be wrong with them.
 *
 * What opening a database checks is what RocksDB would silently pass over: CURRENT, the MANIFEST
 * and the write-ahead logs, to the last byte. What a whole check adds is every file of tables,
 * against the checksum that the MANIFEST has of it.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DIRECTORY_H_
#define ANNALS_STORAGE_ROCKSDB_DIRECTORY_H_

#include "storage/rocksdb/manifest.h"

G_BEGIN_DECLS

/* One check of a directory. */
struct annals_directory_check {
  const char *path;
  /* Takes a fault: of which file, and what is wrong with it. */
  void (*on_fault)(struct annals_directory_check *check, const char *file, const char *text);
  /* Told of bytes that were read. Returns whether to go on. NULL: nobody asks. */
  bool (*on_bytes)(struct annals_directory_check *check, size_t bytes);
  void *owner;
  bool logs_may_be_missing; /* which ones, and when, the MANIFEST does not tell: of a database that
                               is open, and of a backup, which does without empty ones */

  const char *part; /* while a file of tables is read: its column family; else NULL */

  /* Results. */
  uint64_t file_count;
  uint64_t bytes;
  uint64_t unchecked_count; /* files of tables without a checksum: written by a program that made
                               none. Their blocks have some. */
};

/*
 * Reads the MANIFEST and checks the write-ahead logs. Returns false when the MANIFEST cannot be
 * read; that is a fault like others.
 *
 * A directory without a database is fine, unless it has files of one.
 * Memory: the caller clears ret_manifest on true; its path is NULL where there is no database.
 * Cost: reads all of those files.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_directory_check_logs(struct annals_directory_check *check,
                                 struct annals_manifest *ret_manifest);

/* Checks the files of tables; returns false when on_bytes had enough. A file that is gone is fine
 * if another process may have the database open: it is not needed any more. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_directory_check_tables(struct annals_directory_check *check,
                                   const struct annals_manifest *manifest, bool in_use);

/* Tells of a fault. */
G_GNUC_PRINTF(3, 4)
void annals_directory_fault(struct annals_directory_check *check, const char *file,
                            const char *format, ...);

/* Checks one file of a table, if the database still has it. */
void annals_directory_check_table(struct annals_directory_check *check,
                                  const struct annals_manifest *manifest, uint64_t number);

G_END_DECLS

#endif
