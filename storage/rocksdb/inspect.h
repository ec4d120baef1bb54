/*
 * Looks at what is stored as it is stored. For tests.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_INSPECT_H_
#define ANNALS_STORAGE_ROCKSDB_INSPECT_H_

#include "storage/rocksdb/key.h"
#include "storage/store.h"

G_BEGIN_DECLS

/* Calls on_key for each key of an execution's history, in key order. The store is a RocksDB one. */
void annals_rocksdb_each_key(struct annals_store *store, const char *arn,
                             void (*on_key)(const struct annals_key *key, void *data), void *data);

/* Writes all memtables to files. Returns false on failure. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_flush(struct annals_store *store);

/* Compacts all files. Returns false when a background job has failed. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_compact(struct annals_store *store);

/* Puts a raw key into the column family `listings`. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_put_raw_entry(struct annals_store *store, const uint8_t *key, size_t key_size);

/* Puts a raw key into the column family `history`, as no append would. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_put_raw(struct annals_store *store, const uint8_t *key, size_t key_size,
                            const void *value, size_t value_size);

/* Deletes one. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_delete_raw(struct annals_store *store, const uint8_t *key, size_t key_size);

/* Makes a database that is not a store: with another column family, or another schema version, when
 * they are not NULL. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_make_foreign(const char *path, const char *family, const char *schema);

G_END_DECLS

#endif
