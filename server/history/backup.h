/*
 * A backup of the store, as operators ask for it.
 *
 * Floor 2.
 */
#ifndef ANNALS_SERVER_HISTORY_BACKUP_H_
#define ANNALS_SERVER_HISTORY_BACKUP_H_

#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/history.h"

G_BEGIN_DECLS

enum { ANNALS_BACKUP_DIRECTORY_BYTES_MAX = 512 };

/* What is asked for, and by whom. */
struct annals_backup_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  const char *directory; /* below the history's backup_dir: relative to it, or absolute */
  int32_t keep;          /* how many backups stay; 0: all */
};

/* One backup under way, and the result. Zero it before use. */
struct annals_backup {
  struct annals_backup_request request;
  void (*on_done)(struct annals_backup *backup);
  void *owner;                        /* the caller's own */
  const struct annals_cancel *cancel; /* whether anybody waits; NULL: always */

  GError *error;                     /* result: NULL, or why there is no new backup */
  struct annals_store_backup backup; /* result: what was made */
};

/*
 * Makes a backup.
 *
 * Errors: INVALID_REQUEST, PERMISSION_DENIED, RATE_EXCEEDED, BACKUPS_DISABLED, UNSUPPORTED,
 *         ALREADY_RUNNING, NO_SPACE, BACKUP_FAILED, DATA_CORRUPTED, INTERNAL. CANCELLED and
 *         DEADLINE_EXCEEDED when nobody waits before the backup is begun: it cannot be stopped.
 * Memory: the caller clears the backup when it is done with the result.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_backup_run(struct annals_history *history,
                                       struct annals_backup *backup);

/* Frees what the backup holds. */
void annals_backup_clear(struct annals_backup *backup);

G_END_DECLS

#endif
