/*
 * What a RocksDB error string means: the C API gives nothing else.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_STATUS_H_
#define ANNALS_STORAGE_ROCKSDB_STATUS_H_

#include <glib.h>

#include "storage/store.h"

G_BEGIN_DECLS

enum annals_status {
  ANNALS_STATUS_OK,
  ANNALS_STATUS_INCOMPLETE, /* not in the cache, and the disk was not allowed */
  ANNALS_STATUS_NOT_FOUND,
  ANNALS_STATUS_CORRUPT,
  ANNALS_STATUS_UNREADABLE, /* the disk does not give what is stored, or a file is gone */
  ANNALS_STATUS_LOCKED,     /* the directory is in use */
  ANNALS_STATUS_DENIED,     /* permission denied or read-only */
  ANNALS_STATUS_NO_SPACE,   /* the disk is full */
  ANNALS_STATUS_FAILED,     /* all else */
};

/* Classifies an error string by its prefix, the file system's by errno's text; NULL is OK. */
enum annals_status annals_status_classify(const char *error);

/*
 * Tells whether a write ended so because a flush or a compaction has found the disk full: it was
 * refused before anything of it was written, as all are until RocksDB, which looks every 5 seconds,
 * has found room and written anew what failed.
 */
bool annals_status_is_refused_for_room(const char *error);

/* The outcome of a read that ended so. Not for INCOMPLETE, which is no end. */
enum annals_store_outcome annals_status_outcome(enum annals_status status);

G_END_DECLS

#endif
