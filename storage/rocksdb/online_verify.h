/*
 * Checks a store that is open, on a thread of its own, as it stood when the check began.
 *
 * Appends, compactions and flushes go on: of the files, those are checked that are there, and of
 * what is in them, one snapshot. Nothing of it stays in the cache but what it looks up in listings.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_ONLINE_VERIFY_H_
#define ANNALS_STORAGE_ROCKSDB_ONLINE_VERIFY_H_

#include "storage/rocksdb/engine.h"

G_BEGIN_DECLS

/* The engine's operation: starts a thread for the check, if none is under way. */
enum annals_store_progress annals_engine_verify(struct annals_store *store,
                                                struct annals_store_verify *verify);

G_END_DECLS

#endif
