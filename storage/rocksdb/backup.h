/*
 * Backups of a store that is open, made by RocksDB's BackupEngine.
 *
 * Of RocksDB's two ways, a checkpoint is made of hard links: at once, but on the same file system
 * alone, whose loss it does not survive, and without checksums. BackupEngine copies, to any file
 * system: what backups have in common once, each file with a checksum. It keeps the store from
 * deleting files meanwhile, and neither flushes nor locks: the log is copied with the tables, so
 * that what is in no table yet is there, too.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_BACKUP_H_
#define ANNALS_STORAGE_ROCKSDB_BACKUP_H_

#include "storage/rocksdb/engine.h"

G_BEGIN_DECLS

/* The engine's operation: starts a thread for the backup, if none is being made. */
enum annals_store_progress annals_engine_backup(struct annals_store *store,
                                                struct annals_store_backup *backup);

G_END_DECLS

#endif
