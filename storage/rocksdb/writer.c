#include "storage/rocksdb/writer.h"

#include <pthread.h>
#include <string.h>

#include "storage/outcome.h"
#include "storage/rocksdb/run_builder.h"

/* A group writes no more than this, about, or is of one append: it bounds the batch, and how long
 * the first of a group waits for the last. */
static const size_t GROUP_BYTES_MAX = 8 << 20;

/* Puts runs into the batch, under the ARN of the append at hand. */
struct batch_sink {
  struct annals_run_sink sink;
  rocksdb_writebatch_t *batch;
  rocksdb_column_family_handle_t *history;
  const char *arn;
  size_t arn_size;
  GByteArray *key; /* reused */
};

struct annals_writer {
  struct annals_writer_parts parts;
  rocksdb_writeoptions_t *options;
  struct batch_sink sink;
  GPtrArray *group;   /* struct annals_write */
  GPtrArray *drafted; /* the entries that the group changes */

  pthread_t thread;
  gint failed;

  pthread_mutex_t lock; /* of all below; ThreadSanitizer does not see GLib's locks */
  pthread_cond_t queued;
  struct annals_write *first;
  struct annals_write *last;
  bool stopping;
};

static void key_resize(struct batch_sink *sink, size_t size) {
  g_byte_array_set_size(sink->key, (guint)size);
}

static void sink_put(struct annals_run_sink *base, const struct annals_key *key,
                     const struct annals_slices *value) {
  struct batch_sink *sink = (struct batch_sink *)base;
  key_resize(sink, sink->arn_size + ANNALS_KEY_RUN_EXTRA);
  size_t key_size = annals_key_put_run(sink->key->data, sink->arn, sink->arn_size, key);
  const char *key_bytes = (const char *)sink->key->data;
  rocksdb_writebatch_putv_cf(sink->batch, sink->history, 1, &key_bytes, &key_size, value->count,
                             value->bytes, value->sizes);
}

/* A run's key is put once in its life, which is what SingleDelete asks for; it leaves no tombstone
 * behind once it meets its key. */
static void sink_drop(struct annals_run_sink *base, const struct annals_key *key) {
  struct batch_sink *sink = (struct batch_sink *)base;
  key_resize(sink, sink->arn_size + ANNALS_KEY_RUN_EXTRA);
  size_t key_size = annals_key_put_run(sink->key->data, sink->arn, sink->arn_size, key);
  rocksdb_writebatch_singledelete_cf(sink->batch, sink->history, (const char *)sink->key->data,
                                     key_size);
}

static void put_marker(struct batch_sink *sink) {
  key_resize(sink, sink->arn_size + ANNALS_KEY_SEEK_EXTRA);
  size_t key_size = annals_key_put_marker(sink->key->data, sink->arn, sink->arn_size);
  rocksdb_writebatch_put_cf(sink->batch, sink->history, (const char *)sink->key->data, key_size, "",
                            0);
}

/* Checks one append against its tail and adds it to the batch; its outcome is what it will be if
 * the write succeeds. */
static void stage(struct annals_writer *writer, struct annals_write *write) {
  struct annals_store_append *append = write->append;
  const struct annals_tail *tail = annals_tail_entry_tail(write->entry);
  struct annals_tail_draft *draft = annals_tail_entry_draft(write->entry);
  int64_t last_id = draft != NULL ? draft->next.last_id : tail->last_id;
  if (append->expected_last_id != last_id) {
    append->last_id = last_id;
    annals_store_op_set(&append->op, ANNALS_STORE_CONFLICT, NULL);
    return;
  }
  if (draft == NULL) {
    draft = annals_tail_entry_start_draft(write->entry);
    g_ptr_array_add(writer->drafted, write->entry);
  }
  struct batch_sink *sink = &writer->sink;
  sink->arn = append->arn;
  sink->arn_size = strlen(append->arn);
  if (last_id == 0) {
    put_marker(sink);
  }
  annals_run_builder_add(tail, draft, append, &sink->sink);
  if (append->record_bytes > 0) {
    rocksdb_writebatch_put_cf(sink->batch, writer->parts.executions, sink->arn, sink->arn_size,
                              (const char *)append->record, append->record_bytes);
  }
  append->last_id = draft->next.last_id;
  annals_store_op_set(&append->op, ANNALS_STORE_OK, NULL);
}

static void set_all(GPtrArray *group, enum annals_store_outcome outcome, const char *detail) {
  for (guint i = 0; i < group->len; i++) {
    struct annals_write *write = g_ptr_array_index(group, i);
    annals_store_op_set(&write->append->op, outcome, detail);
  }
}

/* The group's write has failed: nobody knows what of it is on the disk. A conflict may have been
 * with an append of the group, so nothing is known of those either, but that they did nothing. */
static void fail_group(struct annals_writer *writer, const char *error) {
  g_atomic_int_set(&writer->failed, 1);
  for (guint i = 0; i < writer->drafted->len; i++) {
    annals_tail_entry_drop_draft(g_ptr_array_index(writer->drafted, i));
  }
  for (guint i = 0; i < writer->group->len; i++) {
    struct annals_write *write = g_ptr_array_index(writer->group, i);
    bool staged = write->append->op.outcome == ANNALS_STORE_OK;
    annals_store_op_set(&write->append->op,
                        staged ? ANNALS_STORE_UNKNOWN : ANNALS_STORE_UNAVAILABLE, error);
  }
}

/* Returns the error to free with rocksdb_free, or NULL. */
static char *write_batch(struct annals_writer *writer) {
  const struct annals_rocksdb_hooks *hooks = &writer->parts.disk->hooks;
  char *error = NULL;
  if (hooks->fail_write != NULL && hooks->fail_write(hooks->data)) {
    /* rocksdb_free is free. */
    return strdup("IO error: injected");
  }
  rocksdb_write(writer->parts.db, writer->options, writer->sink.batch, &error);
  return error;
}

static void write_group(struct annals_writer *writer) {
  g_ptr_array_set_size(writer->drafted, 0);
  rocksdb_writebatch_clear(writer->sink.batch);
  for (guint i = 0; i < writer->group->len; i++) {
    stage(writer, g_ptr_array_index(writer->group, i));
  }
  if (writer->drafted->len == 0) {
    return;
  }
  char *error = write_batch(writer);
  if (error != NULL) {
    fail_group(writer, error);
    rocksdb_free(error);
    return;
  }
  annals_tail_table_commit(writer->parts.tails, writer->drafted);
}

static void handle_group(struct annals_writer *writer) {
  if (annals_writer_has_failed(writer)) {
    set_all(writer->group, ANNALS_STORE_UNAVAILABLE, "writes have stopped after a failed write");
  } else if (annals_disk_is_low(writer->parts.disk)) {
    set_all(writer->group, ANNALS_STORE_NO_SPACE, NULL);
  } else {
    write_group(writer);
  }
  for (guint i = 0; i < writer->group->len; i++) {
    struct annals_write *write = g_ptr_array_index(writer->group, i);
    annals_tail_table_unpin(writer->parts.tails, write->entry);
    writer->parts.complete(write);
  }
}

/* Moves a group from the queue; waits for one. Returns whether there is one: not when stopping. */
static bool take_group(struct annals_writer *writer) {
  size_t bytes = 0;
  g_ptr_array_set_size(writer->group, 0);
  pthread_mutex_lock(&writer->lock);
  while (writer->first == NULL && !writer->stopping) {
    pthread_cond_wait(&writer->queued, &writer->lock);
  }
  for (struct annals_write *write = writer->first; write != NULL; write = writer->first) {
    bytes += annals_run_builder_bytes(annals_tail_entry_tail(write->entry), write->append);
    if (writer->group->len > 0 && bytes > GROUP_BYTES_MAX) {
      break;
    }
    g_ptr_array_add(writer->group, write);
    writer->first = write->next;
  }
  if (writer->first == NULL) {
    writer->last = NULL;
  }
  pthread_mutex_unlock(&writer->lock);
  return writer->group->len > 0;
}

static void *run(void *data) {
  struct annals_writer *writer = data;
  while (take_group(writer)) {
    handle_group(writer);
  }
  return NULL;
}

static void writer_free(struct annals_writer *writer) {
  pthread_cond_destroy(&writer->queued);
  pthread_mutex_destroy(&writer->lock);
  g_ptr_array_unref(writer->group);
  g_ptr_array_unref(writer->drafted);
  g_byte_array_unref(writer->sink.key);
  rocksdb_writebatch_destroy(writer->sink.batch);
  rocksdb_writeoptions_destroy(writer->options);
  g_free(writer);
}

struct annals_writer *annals_writer_start(const struct annals_writer_parts *parts, GError **error) {
  struct annals_writer *writer = g_new0(struct annals_writer, 1);
  writer->parts = *parts;
  writer->options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(writer->options, 1);
  writer->sink = (struct batch_sink){
      .sink = {.put = sink_put, .drop = sink_drop},
      .batch = rocksdb_writebatch_create(),
      .history = parts->history,
      .key = g_byte_array_new(),
  };
  writer->group = g_ptr_array_new();
  writer->drafted = g_ptr_array_new();
  pthread_mutex_init(&writer->lock, NULL);
  pthread_cond_init(&writer->queued, NULL);
  int errnum = pthread_create(&writer->thread, NULL, run, writer);
  if (errnum != 0) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FAILED,
                "cannot start the writer thread: %s", g_strerror(errnum));
    writer_free(writer);
    return NULL;
  }
  pthread_setname_np(writer->thread, "annals-writer");
  return writer;
}

void annals_writer_stop(struct annals_writer *writer) {
  if (writer == NULL) {
    return;
  }
  pthread_mutex_lock(&writer->lock);
  writer->stopping = true;
  pthread_cond_signal(&writer->queued);
  pthread_mutex_unlock(&writer->lock);
  pthread_join(writer->thread, NULL);
  writer_free(writer);
}

void annals_writer_push(struct annals_writer *writer, struct annals_write *write) {
  write->next = NULL;
  pthread_mutex_lock(&writer->lock);
  if (writer->last != NULL) {
    writer->last->next = write;
  } else {
    writer->first = write;
    pthread_cond_signal(&writer->queued);
  }
  writer->last = write;
  pthread_mutex_unlock(&writer->lock);
}

bool annals_writer_has_failed(struct annals_writer *writer) {
  return g_atomic_int_get(&writer->failed) != 0;
}
