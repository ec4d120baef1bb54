/*
 * Puts a backup back: into a data directory that no server has open.
 *
 * Floor 1. For programs that work offline. BackupEngine would notice damage only when most has been
 * written, and would not say of which file: so its list of files is read here, and each file is
 * copied and checked in one pass.
 *
 *   DATA_DIR/restoring/rocksdb   copied, checked, opened once
 *   DATA_DIR/page-token.key      then put in place
 *   DATA_DIR/rocksdb             renamed to in the end: it is there when the restore is whole
 *
 * A restore that was cut short is begun anew by the next one.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_RESTORE_H_
#define ANNALS_STORAGE_ROCKSDB_RESTORE_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

/* What a directory of backups says of one. */
struct annals_backup_info {
  int64_t id;
  int64_t time_s; /* when it was begun */
  int64_t file_count;
  int64_t size_bytes; /* of the files, as they are */
};

struct annals_restore {
  const char *backups;  /* a directory of backups */
  int64_t id;           /* which one; 0: the newest */
  const char *data_dir; /* made if it is missing; must be empty. NULL: only check the backup */

  /* Takes a fault: of which file of the backup, and what is wrong with it. */
  void (*on_fault)(struct annals_restore *restore, const char *file, const char *text);
  void *owner;

  struct annals_backup_info info; /* result */
};

enum annals_restore_error {
  ANNALS_RESTORE_ERROR_NO_BACKUP, /* there is no such directory or backup */
  ANNALS_RESTORE_ERROR_NOT_EMPTY, /* the data directory holds something */
  ANNALS_RESTORE_ERROR_DAMAGED,   /* the backup is damaged; on_fault was told how */
  ANNALS_RESTORE_ERROR_FAILED,    /* a file cannot be written, or the disk has no room */
};

#define ANNALS_RESTORE_ERROR annals_restore_error_quark()
GQuark annals_restore_error_quark(void);

/*
 * Restores a backup, or checks it. The data directory is as before where that fails.
 *
 * Errors: ANNALS_RESTORE_ERROR, one line.
 * Cost: reads every file of the backup once, and writes it. Memory stays flat.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_restore(struct annals_restore *restore, GError **error);

/*
 * Tells what backups a directory has: struct annals_backup_info, the oldest first. Of one whose
 * list of files cannot be read, the rest is 0.
 *
 * Memory: unref the result. Errors: NULL with NO_BACKUP.
 */
G_GNUC_WARN_UNUSED_RESULT
GArray *annals_rocksdb_list_backups(const char *backups, GError **error);

G_END_DECLS

#endif
