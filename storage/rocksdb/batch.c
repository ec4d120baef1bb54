#include "storage/rocksdb/batch.h"

#include <string.h>

#include "storage/rocksdb/list_key.h"
#include "storage/rocksdb/schema_version.h"

static const char *key_bytes(const struct annals_batch *batch) {
  return (const char *)batch->key->data;
}

static void set_run_key(struct annals_batch *batch, const struct annals_key *key) {
  g_byte_array_set_size(batch->key, (guint)(batch->arn_size + ANNALS_KEY_RUN_EXTRA));
  annals_key_put_run(batch->key->data, batch->arn, batch->arn_size, key);
}

static void set_marker_key(struct annals_batch *batch) {
  g_byte_array_set_size(batch->key, (guint)(batch->arn_size + ANNALS_KEY_SEEK_EXTRA));
  annals_key_put_marker(batch->key->data, batch->arn, batch->arn_size);
}

static void set_data_key(struct annals_batch *batch, int64_t ordinal) {
  g_byte_array_set_size(batch->key, (guint)(batch->arn_size + ANNALS_KEY_SEEK_EXTRA));
  annals_key_put_data(batch->key->data, batch->arn, batch->arn_size, ordinal);
}

static void put_run(struct annals_run_sink *sink, const struct annals_key *key,
                    const struct annals_slices *value) {
  struct annals_batch *batch = (struct annals_batch *)sink;
  set_run_key(batch, key);
  const char *bytes = key_bytes(batch);
  size_t size = batch->key->len;
  rocksdb_writebatch_putv_cf(batch->batch, batch->history, 1, &bytes, &size, value->count,
                             value->bytes, value->sizes);
}

static void drop_run(struct annals_run_sink *sink, const struct annals_key *key) {
  annals_batch_delete_key((struct annals_batch *)sink, key);
}

void annals_batch_init(struct annals_batch *batch, rocksdb_column_family_handle_t *history,
                       rocksdb_column_family_handle_t *executions,
                       rocksdb_column_family_handle_t *listings) {
  *batch = (struct annals_batch){
      .sink = {.put = put_run, .drop = drop_run},
      .batch = rocksdb_writebatch_create(),
      .history = history,
      .executions = executions,
      .listings = listings,
      .key = g_byte_array_new(),
  };
}

void annals_batch_clear(struct annals_batch *batch) {
  g_byte_array_unref(batch->key);
  rocksdb_writebatch_destroy(batch->batch);
}

void annals_batch_begin(struct annals_batch *batch, const char *arn) {
  batch->arn = arn;
  batch->arn_size = strlen(arn);
}

void annals_batch_put_marker(struct annals_batch *batch, uint64_t birth) {
  uint8_t value[ANNALS_BIRTH_BYTES];
  annals_birth_put(value, birth);
  set_marker_key(batch);
  rocksdb_writebatch_put_cf(batch->batch, batch->history, key_bytes(batch), batch->key->len,
                            (const char *)value, sizeof value);
}

void annals_batch_delete_key(struct annals_batch *batch, const struct annals_key *key) {
  if (key->marker) {
    set_marker_key(batch);
  } else if (key->kind == ANNALS_KEY_DATA) {
    set_data_key(batch, key->last_id);
  } else {
    set_run_key(batch, key);
  }
  if (key->kind == ANNALS_KEY_OPEN) {
    rocksdb_writebatch_singledelete_cf(batch->batch, batch->history, key_bytes(batch),
                                       batch->key->len);
  } else {
    rocksdb_writebatch_delete_cf(batch->batch, batch->history, key_bytes(batch), batch->key->len);
  }
}

void annals_batch_put_data_key(struct annals_batch *batch,
                               const struct annals_store_data_key *data_key, bool is_new) {
  set_data_key(batch, data_key->ordinal);
  rocksdb_writebatch_put_cf(batch->batch, batch->history, key_bytes(batch), batch->key->len,
                            (const char *)data_key->record, data_key->record_bytes);
  if (is_new) {
    annals_schema_version_batch(batch->batch);
  }
}

void annals_batch_put_record(struct annals_batch *batch, const uint8_t *record, size_t size) {
  rocksdb_writebatch_put_cf(batch->batch, batch->executions, batch->arn, batch->arn_size,
                            (const char *)record, size);
}

void annals_batch_delete_record(struct annals_batch *batch) {
  rocksdb_writebatch_delete_cf(batch->batch, batch->executions, batch->arn, batch->arn_size);
}

void annals_batch_put_place(struct annals_batch *batch, const struct annals_store_place *place,
                            const uint8_t *record, size_t size) {
  annals_list_key_set(batch->key, place, batch->arn, batch->arn_size);
  rocksdb_writebatch_put_cf(batch->batch, batch->listings, key_bytes(batch), batch->key->len,
                            (const char *)record, size);
}

void annals_batch_delete_place(struct annals_batch *batch, const struct annals_store_place *place) {
  annals_list_key_set(batch->key, place, batch->arn, batch->arn_size);
  rocksdb_writebatch_singledelete_cf(batch->batch, batch->listings, key_bytes(batch),
                                     batch->key->len);
}
