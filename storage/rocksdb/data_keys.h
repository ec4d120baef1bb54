/*
 * The engine's operations on the records of data keys.
 *
 * A record that is put in the place of another is read before, which the writer never does: a
 * worker compares, with the tail of the history pinned, and the writer checks that the history is
 * still the same one, as with a deletion (deletion.h).
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DATA_KEYS_H_
#define ANNALS_STORAGE_ROCKSDB_DATA_KEYS_H_

#include "storage/rocksdb/engine.h"

G_BEGIN_DECLS

enum annals_store_progress annals_engine_get_data_key(struct annals_store *store,
                                                      struct annals_store_get_data_key *get);
enum annals_store_progress annals_engine_put_data_key(struct annals_store *store,
                                                      struct annals_store_put_data_key *put);

G_END_DECLS

#endif
