/*
 * What a group writes: one RocksDB WriteBatch, filled for one execution after another.
 *
 * Which delete goes with which key: RocksDB forbids Delete and SingleDelete on one key, and
 * SingleDelete on a key that was put twice; it leaves less behind.
 *   runs of the tail   SingleDelete: put once
 *   places             SingleDelete: whoever puts a place deletes the one that was there (open.c)
 *   all else           Delete: records are put over, sealed runs and markers live long
 */
#ifndef ANNALS_STORAGE_ROCKSDB_BATCH_H_
#define ANNALS_STORAGE_ROCKSDB_BATCH_H_

#include <rocksdb/c.h>

#include "storage/rocksdb/key.h"
#include "storage/rocksdb/run_builder.h"
#include "storage/store.h"

G_BEGIN_DECLS

struct annals_batch {
  struct annals_run_sink sink; /* of the runs of the execution at hand */
  rocksdb_writebatch_t *batch;
  rocksdb_column_family_handle_t *history;
  rocksdb_column_family_handle_t *executions;
  rocksdb_column_family_handle_t *listings;
  const char *arn; /* of the execution at hand */
  size_t arn_size;
  GByteArray *key; /* reused */
};

void annals_batch_init(struct annals_batch *batch, rocksdb_column_family_handle_t *history,
                       rocksdb_column_family_handle_t *executions,
                       rocksdb_column_family_handle_t *listings);
void annals_batch_clear(struct annals_batch *batch);

/* Says which execution all that follows is of. Memory: arn lives until the next one is begun. */
void annals_batch_begin(struct annals_batch *batch, const char *arn);

void annals_batch_put_marker(struct annals_batch *batch, uint64_t birth);
/* Deletes a run, the marker or a data key. */
void annals_batch_delete_key(struct annals_batch *batch, const struct annals_key *key);

/* Puts a data key's record; with a new one, the database has the version that knows of them. */
void annals_batch_put_data_key(struct annals_batch *batch,
                               const struct annals_store_data_key *data_key, bool is_new);

void annals_batch_put_record(struct annals_batch *batch, const uint8_t *record, size_t size);
void annals_batch_delete_record(struct annals_batch *batch);

void annals_batch_put_place(struct annals_batch *batch, const struct annals_store_place *place,
                            const uint8_t *record, size_t size);
void annals_batch_delete_place(struct annals_batch *batch, const struct annals_store_place *place);

G_END_DECLS

#endif
