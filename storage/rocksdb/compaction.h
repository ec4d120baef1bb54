/*
 * Compactions and the room that they take: what they read is deleted only when all is written anew.
 *
 * RocksDB can be told to begin none that does not fit, but not through its C interface; and one
 * that meets a full disk has taken what appends need. So here is counted what they may take at
 * most, and all of them wait where that is not to be had.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_COMPACTION_H_
#define ANNALS_STORAGE_ROCKSDB_COMPACTION_H_

#include "storage/rocksdb/engine.h"

G_BEGIN_DECLS

/* Tells how many bytes compactions may write before they give back any, about. Cost: looks at the
 * sizes of all files. */
uint64_t annals_compaction_bytes_max(struct annals_engine *engine);

/*
 * Tells whether compactions have room in a store that is yet to be opened: they would begin before
 * anybody could pause them.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_compaction_has_room(const struct annals_engine *engine);

/* Has no compaction begin from now on, or lets them begin again: unless a table is damaged
 * (damage.h). A failure leaves it as it was. */
void annals_compaction_pause(struct annals_engine *engine, bool paused);

/* Has deletions reach the files when much was deleted, as only compactions give room back. Threads:
 * one at a time. */
void annals_compaction_flush_deletions(struct annals_engine *engine);

G_END_DECLS

#endif
