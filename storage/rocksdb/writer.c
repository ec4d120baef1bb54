#include "storage/rocksdb/writer.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "storage/outcome.h"
#include "storage/rocksdb/batch.h"
#include "storage/rocksdb/damage.h"
#include "storage/rocksdb/run_builder.h"
#include "storage/rocksdb/status.h"

/* A group writes no more than this, about, or is of one append: it bounds the batch, and how long
 * the first of a group waits for the last. */
static const size_t GROUP_BYTES_MAX = 8 << 20;

struct annals_writer {
  struct annals_writer_parts parts;
  rocksdb_writeoptions_t *options;
  struct annals_batch batch;
  GPtrArray *group;           /* struct annals_write */
  GPtrArray *drafted;         /* the entries that the group changes */
  enum annals_disk_room room; /* for the group */

  pthread_t thread;
  gint failed;

  pthread_mutex_t lock; /* of all below; ThreadSanitizer does not see GLib's locks */
  pthread_cond_t queued;
  struct annals_write *first;
  struct annals_write *last;
  size_t queue_length;
  bool stopping;
};

static struct annals_store_op *op_of(const struct annals_write *write) {
  if (write->change != NULL) {
    return &write->change->request->op;
  }
  return write->append != NULL ? &write->append->op : &write->deletion->request->op;
}

/* Returns the draft of the entry; makes it the group's to commit if it is new. */
static struct annals_tail_draft *draft_of(struct annals_writer *writer,
                                          struct annals_tail_entry *entry) {
  struct annals_tail_draft *draft = annals_tail_entry_draft(entry);
  if (draft == NULL) {
    draft = annals_tail_entry_start_draft(entry);
    g_ptr_array_add(writer->drafted, entry);
  }
  return draft;
}

static void stage_record(struct annals_batch *batch, const struct annals_store_append *append) {
  annals_batch_put_record(batch, append->record, append->record_bytes);
  for (size_t i = 0; i < append->old_place_count; i++) {
    annals_batch_delete_place(batch, &append->old_places[i]);
  }
  for (size_t i = 0; i < append->new_place_count; i++) {
    annals_batch_put_place(batch, &append->new_places[i], append->record, append->record_bytes);
  }
}

/* Adds an append to the batch if the history ends where it expects. Returns the outcome it has if
 * the write succeeds. */
static enum annals_store_outcome stage_append(struct annals_writer *writer,
                                              struct annals_store_append *append,
                                              struct annals_tail_entry *entry, int64_t last_id) {
  if (append->expected_last_id != last_id ||
      (append->since > 0 && annals_tail_entry_is_changed(entry, append->since))) {
    append->last_id = last_id;
    return ANNALS_STORE_CONFLICT;
  }
  struct annals_tail_draft *draft = draft_of(writer, entry);
  struct annals_batch *batch = &writer->batch;
  annals_batch_begin(batch, append->arn);
  if (last_id == 0) {
    annals_batch_put_marker(batch, rocksdb_get_latest_sequence_number(writer->parts.db));
  }
  annals_run_builder_add(annals_tail_entry_tail(entry), draft, append, &batch->sink);
  if (append->record_bytes > 0) {
    stage_record(batch, append);
  }
  if (append->data_key.ordinal > 0) {
    annals_batch_put_data_key(batch, &append->data_key, true);
  }
  append->last_id = draft->next.last_id;
  return ANNALS_STORE_OK;
}

/* The same of a deletion. One that finds a draft of its execution is too late, whatever it says. */
static enum annals_store_outcome stage_deletion(struct annals_writer *writer,
                                                const struct annals_deletion *deletion,
                                                struct annals_tail_entry *entry, int64_t last_id) {
  struct annals_store_delete *request = deletion->request;
  bool same = annals_tail_entry_draft(entry) == NULL &&
              !annals_tail_entry_is_changed(entry, deletion->since) &&
              last_id == request->expected_last_id;
  if (!same) {
    request->last_id = last_id;
    return last_id > 0 ? ANNALS_STORE_CONFLICT : ANNALS_STORE_NOT_FOUND;
  }
  annals_tail_draft_delete(draft_of(writer, entry));
  struct annals_batch *batch = &writer->batch;
  annals_batch_begin(batch, request->arn);
  for (guint i = 0; i < deletion->keys->len; i++) {
    annals_batch_delete_key(batch, &g_array_index(deletion->keys, struct annals_key, i));
  }
  annals_batch_delete_record(batch);
  for (size_t i = 0; i < request->place_count; i++) {
    annals_batch_delete_place(batch, &request->places[i]);
  }
  return ANNALS_STORE_OK;
}

/* The same of a change of a data key: whatever the history ends with, it is still the same one.
 * Appends that were prepared before it are too late. */
static enum annals_store_outcome stage_change(struct annals_writer *writer,
                                              const struct annals_data_key_change *change,
                                              struct annals_tail_entry *entry) {
  if (annals_tail_entry_is_changed(entry, change->since)) {
    return ANNALS_STORE_CONFLICT;
  }
  draft_of(writer, entry)->changed = true;
  annals_batch_begin(&writer->batch, change->request->arn);
  annals_batch_put_data_key(&writer->batch, &change->request->data_key, false);
  return ANNALS_STORE_OK;
}

/* Checks one write against its tail and adds it to the batch; its outcome is what it will be if the
 * write succeeds. */
static void stage(struct annals_writer *writer, struct annals_write *write) {
  struct annals_tail_entry *entry = write->entry;
  const struct annals_tail_draft *draft = annals_tail_entry_draft(entry);
  int64_t last_id = draft != NULL ? draft->next.last_id : annals_tail_entry_tail(entry)->last_id;
  /* A data key that is destroyed needs no more room than a deletion. */
  enum annals_disk_room needed =
      write->append != NULL ? ANNALS_DISK_FOR_ALL : ANNALS_DISK_FOR_DELETIONS;
  enum annals_store_outcome outcome = ANNALS_STORE_NO_SPACE;
  if (writer->room >= needed && write->change != NULL) {
    outcome = stage_change(writer, write->change, entry);
  } else if (writer->room >= needed) {
    outcome = write->append != NULL ? stage_append(writer, write->append, entry, last_id)
                                    : stage_deletion(writer, write->deletion, entry, last_id);
  }
  annals_store_op_set(op_of(write), outcome, NULL);
}

static void set_all(GPtrArray *group, enum annals_store_outcome outcome, const char *detail) {
  for (guint i = 0; i < group->len; i++) {
    struct annals_write *write = g_ptr_array_index(group, i);
    annals_store_op_set(op_of(write), outcome, detail);
  }
}

static void drop_drafts(struct annals_writer *writer) {
  for (guint i = 0; i < writer->drafted->len; i++) {
    annals_tail_entry_drop_draft(g_ptr_array_index(writer->drafted, i));
  }
}

/* The group's write has failed: nobody knows what of it is on the disk. A conflict may have been
 * with an append of the group, so nothing is known of those either, but that they did nothing. */
static void fail_group(struct annals_writer *writer, const char *error) {
  g_atomic_int_set(&writer->failed, 1);
  annals_damage_found_by_write(writer->parts.disk->path, error);
  drop_drafts(writer);
  for (guint i = 0; i < writer->group->len; i++) {
    struct annals_write *write = g_ptr_array_index(writer->group, i);
    struct annals_store_op *op = op_of(write);
    if (op->outcome != ANNALS_STORE_NO_SPACE) {
      bool staged = op->outcome == ANNALS_STORE_OK;
      annals_store_op_set(op, staged ? ANNALS_STORE_UNKNOWN : ANNALS_STORE_UNAVAILABLE, error);
    }
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
  rocksdb_write(writer->parts.db, writer->options, writer->batch.batch, &error);
  return error;
}

static size_t staged_count(const struct annals_writer *writer) {
  size_t count = 0;
  for (guint i = 0; i < writer->group->len; i++) {
    count += op_of(g_ptr_array_index(writer->group, i))->outcome == ANNALS_STORE_OK;
  }
  return count;
}

/* Tells of the group that is being written since begun_us. */
static void tell_observer(const struct annals_writer *writer, int64_t begun_us) {
  const struct annals_store_observer *observer = &writer->parts.observer;
  if (observer->on_commit == NULL) {
    return;
  }
  struct annals_store_commit commit = {
      .write_count = staged_count(writer),
      .duration_us = g_get_monotonic_time() - begun_us,
  };
  (void)rocksdb_writebatch_data(writer->batch.batch, &commit.bytes);
  observer->on_commit(observer->context, &commit);
}

/* Says which histories the group is about to change. What is more than an append drops what is
 * kept. */
static void begin_changes(struct annals_writer *writer) {
  for (guint i = 0; i < writer->drafted->len; i++) {
    struct annals_tail_entry *entry = g_ptr_array_index(writer->drafted, i);
    annals_run_cache_begin_change(writer->parts.runs, annals_tail_entry_arn(entry),
                                  annals_tail_entry_draft(entry)->changed);
  }
}

/* And that it has, before anybody is told. */
static void end_changes(struct annals_writer *writer) {
  for (guint i = 0; i < writer->drafted->len; i++) {
    struct annals_tail_entry *entry = g_ptr_array_index(writer->drafted, i);
    annals_run_cache_end_change(writer->parts.runs, annals_tail_entry_arn(entry),
                                annals_tail_entry_draft(entry)->changed);
  }
}

static void write_group(struct annals_writer *writer) {
  writer->room = annals_disk_room(writer->parts.disk);
  g_ptr_array_set_size(writer->drafted, 0);
  rocksdb_writebatch_clear(writer->batch.batch);
  for (guint i = 0; i < writer->group->len; i++) {
    stage(writer, g_ptr_array_index(writer->group, i));
  }
  if (rocksdb_writebatch_count(writer->batch.batch) == 0) {
    return;
  }
  int64_t begun_us = g_get_monotonic_time();
  begin_changes(writer);
  char *error = write_batch(writer);
  end_changes(writer);
  tell_observer(writer, begun_us);
  if (annals_status_is_refused_for_room(error)) {
    /* A conflict may have been with an append of the group. */
    drop_drafts(writer);
    set_all(writer->group, ANNALS_STORE_NO_SPACE, error);
    rocksdb_free(error);
    return;
  }
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
  } else {
    write_group(writer);
  }
  for (guint i = 0; i < writer->group->len; i++) {
    struct annals_write *write = g_ptr_array_index(writer->group, i);
    annals_tail_table_unpin(writer->parts.tails, write->entry);
    writer->parts.complete(write);
  }
}

static size_t write_bytes(const struct annals_write *write) {
  if (write->change != NULL) {
    return write->change->request->data_key.record_bytes;
  }
  return write->append != NULL
             ? annals_run_builder_bytes(annals_tail_entry_tail(write->entry), write->append)
             : annals_deletion_bytes(write->deletion);
}

static void wait_for_write(struct annals_writer *writer) {
  pthread_mutex_lock(&writer->lock);
  while (writer->first == NULL && !writer->stopping) {
    pthread_cond_wait(&writer->queued, &writer->lock);
  }
  pthread_mutex_unlock(&writer->lock);
}

/*
 * Moves a group from the queue; waits for one. Returns whether there is one: not when stopping.
 *
 * A thread that has slept, for a write or for the disk, is given the processor at once: on one that
 * it shares with those who push it would take the first write of many, and have the disk sync that.
 * So they go first, until they have no more or their time is over; but where the last group was of
 * one, nobody else may come. 64 clients on one processor made groups of 22 without that, and of 55
 * with it.
 */
static bool take_group(struct annals_writer *writer) {
  size_t bytes = 0;
  bool alone = writer->group->len <= 1;
  wait_for_write(writer);
  if (!alone) {
    (void)sched_yield();
  }
  g_ptr_array_set_size(writer->group, 0);
  pthread_mutex_lock(&writer->lock);
  for (struct annals_write *write = writer->first; write != NULL; write = writer->first) {
    bytes += write_bytes(write);
    if (writer->group->len > 0 && bytes > GROUP_BYTES_MAX) {
      break;
    }
    g_ptr_array_add(writer->group, write);
    writer->first = write->next;
    writer->queue_length--;
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
  annals_batch_clear(&writer->batch);
  rocksdb_writeoptions_destroy(writer->options);
  g_free(writer);
}

struct annals_writer *annals_writer_start(const struct annals_writer_parts *parts, GError **error) {
  struct annals_writer *writer = g_new0(struct annals_writer, 1);
  writer->parts = *parts;
  writer->options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(writer->options, 1);
  annals_batch_init(&writer->batch, parts->history, parts->executions, parts->listings);
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
  writer->queue_length++;
  pthread_mutex_unlock(&writer->lock);
}

size_t annals_writer_queue_length(struct annals_writer *writer) {
  pthread_mutex_lock(&writer->lock);
  size_t length = writer->queue_length;
  pthread_mutex_unlock(&writer->lock);
  return length;
}

bool annals_writer_has_failed(struct annals_writer *writer) {
  return g_atomic_int_get(&writer->failed) != 0;
}
