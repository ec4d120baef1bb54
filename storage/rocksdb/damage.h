/*
 * What the engine does about a damaged table.
 *
 * Reads of what is damaged fail, and that is all there is to them. But a compaction that meets it
 * has RocksDB refuse all writes until the database is opened again, and once more soon after that.
 * So the table's name is kept in the file DAMAGED beside the tables, and compactions stay off
 * until a start finds the table whole again, or gone: everything else keeps working.
 *
 *   a read meets it        --> DAMAGED, and compactions end at once
 *   a compaction meets it  --> DAMAGED; writes have stopped, and the restart finds it
 *   a start finds DAMAGED  --> the table is read: damaged, compactions stay off; else it is
 * forgotten
 *
 * Without compactions tables become more and reads of old histories slower, so the log says it at
 * each start.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DAMAGE_H_
#define ANNALS_STORAGE_ROCKSDB_DAMAGE_H_

#include "storage/rocksdb/engine.h"
#include "storage/rocksdb/manifest.h"

G_BEGIN_DECLS

/*
 * Notes what a read has failed with, and ends compactions if a table is to blame.
 *
 * A table that could not be read, by what the disk says, is not noted: that may pass.
 * Threads: any but one that must not wait for the disk. Cost: nothing but the first time.
 */
void annals_damage_found_by_read(struct annals_engine *engine, const char *detail);

/* Notes what a write has failed with, if it was a compaction that could not read a table. dir: of
 * the database. */
void annals_damage_found_by_write(const char *dir, const char *error);

/* The same of a flush or compaction for good; compactions end. Does nothing but the first time. */
void annals_damage_found_behind(struct annals_engine *engine, const char *error);

/* Tells whether the table that was noted is damaged still, and forgets it if not. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_damage_remains(const char *dir, const struct annals_manifest *manifest);

G_END_DECLS

#endif
