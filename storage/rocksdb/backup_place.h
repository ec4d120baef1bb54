/*
 * A directory of backups: which may be one, whose it is, and who works on it.
 *
 *   annals-backup     says that this is one, and of which store; locked by who works on it
 *   page-token.key    as told to go with the store
 *   meta/ID           a backup: its files and their checksums; there when it is whole
 *   private/ID/       what belongs to one backup
 *   shared_checksum/  what backups have in common: files of tables
 *
 * The last three are RocksDB's BackupEngine's.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_BACKUP_PLACE_H_
#define ANNALS_STORAGE_ROCKSDB_BACKUP_PLACE_H_

#include "storage/store.h"

G_BEGIN_DECLS

struct annals_backup_place {
  char *path;
  int lock; /* the marker's file; -1: none */
};

/*
 * Takes the directory that a backup is to be made in, making it if need be. identity: the store's.
 *
 * Returns whether it is there for this backup alone; if not, with the outcome in the request:
 * REFUSED, BUSY or FAILED. The place is to be closed in either case.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_backup_place_take(struct annals_store_backup *request, const char *identity,
                              struct annals_backup_place *ret_place);

/*
 * Opens a directory of backups for reading, which keeps others from writing there.
 * Errors: G_FILE_ERROR, one line that names the directory.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_backup_place_open(const char *path, struct annals_backup_place *ret_place,
                              GError **error);

void annals_backup_place_close(struct annals_backup_place *place);

/*
 * Copies a file into a directory under its own name: durable when this returns, and never half
 * there.
 * Errors: G_FILE_ERROR, one line.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_backup_copy_beside(const char *file, const char *directory, GError **error);

/* Makes the names in a directory durable. Errors: G_FILE_ERROR, one line. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_backup_sync_directory(const char *path, GError **error);

G_END_DECLS

#endif
