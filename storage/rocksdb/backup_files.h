/*
 * What files a backup has, as BackupEngine wrote it down: a text of lines in meta/ID.
 *
 *   seconds since 1970
 *   number of the last change
 *   number of files
 *   path "crc32" CRC-32C, in decimal      for each; shared_checksum/000012_sSESSION_4711.sst is
 *                                         000012.sst in the database, private/ID/CURRENT is CURRENT
 */
#ifndef ANNALS_STORAGE_ROCKSDB_BACKUP_FILES_H_
#define ANNALS_STORAGE_ROCKSDB_BACKUP_FILES_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_backup_file {
  char *path; /* below the directory of backups */
  char *name; /* in the database */
  uint32_t checksum;
};

struct annals_backup_files {
  int64_t time_s;
  GArray *files; /* struct annals_backup_file */
};

/* Gives the ids of whole backups, int64_t, ascending. Memory: unref it. */
G_GNUC_WARN_UNUSED_RESULT
GArray *annals_backup_ids(const char *backups);

/*
 * Reads what files a backup has. Memory: the caller clears them.
 * Errors: returns false with a line in *ret_fault, which the caller frees.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_backup_files_read(const char *backups, int64_t id,
                              struct annals_backup_files *ret_files, char **ret_fault);

void annals_backup_files_clear(struct annals_backup_files *files);

G_END_DECLS

#endif
