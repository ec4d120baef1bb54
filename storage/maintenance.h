/*
 * What operators have a store do beside its daily work. Part of store.h, which includes it. Engines
 * may lack these operations.
 *
 * Floor 1. They take long, run on threads of the engine's own, and keep no other operation waiting.
 * Each runs once at a time: a second one is BUSY.
 */
#ifndef ANNALS_STORAGE_MAINTENANCE_H_
#define ANNALS_STORAGE_MAINTENANCE_H_

#include <stdint.h>

#include "storage/operation.h"
#include "storage/verify.h"

G_BEGIN_DECLS

/*
 * Makes a backup: of all that was durable when it began, and of what became so meanwhile some or
 * all, in the order of its becoming so. OK only when it is whole and durable. A directory holds
 * backups of one store, which share what they have in common; one that was cut short is no backup,
 * does the others no harm, and goes with the next one.
 *
 * REFUSED: the directory may not be one of this store's backups. NO_SPACE: its disk has no room.
 * FAILED: it cannot be written.
 */
struct annals_store_backup {
  struct annals_store_op op;
  const char *root;      /* an absolute path */
  const char *directory; /* below root: names with '/' between them, none "." or "..". Made if
                            missing. REFUSED if one is a symbolic link. */
  const char *beside;    /* a file that goes with the backup, under its own name; NULL: none */
  uint32_t keep;         /* how many backups stay, this one among them; 0: all */

  int64_t id; /* results; ids ascend within a directory */
  int64_t time_s;
  int64_t file_count;
  int64_t size_bytes;    /* with what it shares with older ones */
  int64_t copied_bytes;  /* without */
  int64_t last_sequence; /* of the engine's own count of changes: up to it all is there */
  int32_t deleted_count; /* backups that did not stay */
};

G_END_DECLS

#endif
