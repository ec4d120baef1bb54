#include <string.h>

#include "storage/frame.h"
#include "storage/outcome.h"
#include "storage/rocksdb/background.h"
#include "storage/rocksdb/backup.h"
#include "storage/rocksdb/damage.h"
#include "storage/rocksdb/data_keys.h"
#include "storage/rocksdb/job.h"
#include "storage/rocksdb/online_verify.h"

enum { FLUSHED_ON_CLOSE_BYTES = 16 << 20 };

/* ---- read ---------------------------------------------------------------------------------- */

static enum annals_status read_pass(struct annals_engine *engine, struct annals_store_read *read,
                                    struct annals_read_state *state, enum annals_tier tier) {
  struct annals_reader reader = annals_engine_reader(engine, tier);
  struct annals_run_visit visit;
  if (tier == ANNALS_TIER_CACHE) {
    /* What comes from the disk may never be asked for again; if it is, it comes from the blocks. */
    annals_run_visit_begin(&visit, engine->runs, read->arn);
    reader.visit = &visit;
    reader.odds = &engine->read_odds;
  }
  const struct annals_pass_count count = annals_pass_count_begin();
  enum annals_status status = annals_reader_pass(&reader, read, state);
  annals_pass_count_end(&count, tier, status, &engine->counts);
  if (status != ANNALS_STATUS_INCOMPLETE) {
    annals_engine_set_status(engine, &read->op, status, reader.detail);
  }
  return status;
}

static void read_on(struct annals_job *job) {
  struct annals_store_read *read = (struct annals_store_read *)job->op;
  enum annals_status status = ANNALS_STATUS_INCOMPLETE;
  if (!read->reverse) {
    status = read_pass(job->engine, read, &job->read_state, ANNALS_TIER_AHEAD);
  }
  if (status == ANNALS_STATUS_INCOMPLETE) {
    status = read_pass(job->engine, read, &job->read_state, ANNALS_TIER_DISK);
  }
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
  annals_job_finish(job);
}

static enum annals_store_progress engine_read(struct annals_store *store,
                                              struct annals_store_read *read) {
  struct annals_engine *engine = (struct annals_engine *)store;
  g_assert(read->from_id >= 1);
  if (!annals_engine_begin(engine, &read->op)) {
    return ANNALS_STORE_DONE;
  }
  struct annals_read_state state = {
      .next_id = read->from_id,
      .begun = rocksdb_get_latest_sequence_number(engine->db),
  };
  if (read_pass(engine, read, &state, ANNALS_TIER_CACHE) != ANNALS_STATUS_INCOMPLETE) {
    return annals_engine_done(engine);
  }
  struct annals_job *job = annals_job_new(engine, &read->op);
  job->read_state = state;
  annals_job_push(job, read_on);
  return annals_engine_submit(engine, &read->op);
}

/* ---- get ----------------------------------------------------------------------------------- */

enum annals_status annals_engine_get_record(struct annals_engine *engine,
                                            const struct annals_engine_key *key,
                                            enum annals_tier tier, GBytes **ret_record,
                                            char *ret_detail) {
  char *error = NULL;
  rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(
      engine->db, tier == ANNALS_TIER_CACHE ? engine->get_cached : engine->get_any,
      engine->families[key->family], (const char *)key->bytes, key->size, &error);
  if (error != NULL) {
    enum annals_status status = annals_status_classify(error);
    g_strlcpy(ret_detail, error, ANNALS_STORE_DETAIL_BYTES);
    rocksdb_free(error);
    return status;
  }
  *ret_record = NULL;
  if (slice != NULL) {
    size_t size;
    const char *bytes = rocksdb_pinnableslice_value(slice, &size);
    if (size == 0 && tier == ANNALS_TIER_CACHE) {
      /* No record is empty: of a table that is not open RocksDB says that it has the key. */
      rocksdb_pinnableslice_destroy(slice);
      return ANNALS_STATUS_INCOMPLETE;
    }
    /* Records are small: a copy does not keep a block in memory. */
    *ret_record = g_bytes_new(bytes, size);
    rocksdb_pinnableslice_destroy(slice);
  }
  return ANNALS_STATUS_OK;
}

static enum annals_status get_record(struct annals_engine *engine, const char *arn,
                                     enum annals_tier tier, GBytes **ret_record, char *ret_detail) {
  const struct annals_engine_key key = {ANNALS_FAMILY_EXECUTIONS, (const uint8_t *)arn,
                                        strlen(arn)};
  return annals_engine_get_record(engine, &key, tier, ret_record, ret_detail);
}

/*
 * An execution without a record has an empty one; only one without a history does not exist. The
 * record is asked for again behind the history: both may have come meanwhile. And the history
 * behind that: when it is still the same one, it has no record.
 */
static enum annals_status get_pass(struct annals_engine *engine, struct annals_store_get *get,
                                   enum annals_tier tier) {
  struct annals_reader reader = annals_engine_reader(engine, tier);
  GBytes *record = NULL;
  uint64_t birth = 0;
  uint64_t last_birth;
  const struct annals_pass_count count = annals_pass_count_begin();
  enum annals_status status = get_record(engine, get->arn, tier, &record, reader.detail);
  do {
    last_birth = birth;
    if (status == ANNALS_STATUS_OK && record == NULL) {
      status = annals_reader_find(&reader, get->arn, &birth);
    }
    if (status == ANNALS_STATUS_OK && record == NULL) {
      status = get_record(engine, get->arn, tier, &record, reader.detail);
    }
  } while (status == ANNALS_STATUS_OK && record == NULL && birth != last_birth);
  annals_pass_count_end(&count, tier, status, &engine->counts);
  if (status == ANNALS_STATUS_INCOMPLETE ||
      (status == ANNALS_STATUS_OK && record == NULL && tier == ANNALS_TIER_CACHE)) {
    return ANNALS_STATUS_INCOMPLETE;
  }
  annals_engine_set_status(engine, &get->op, status, reader.detail);
  if (status == ANNALS_STATUS_OK) {
    get->record = record != NULL ? record : g_bytes_new_static("", 0);
  }
  return status;
}

static void get_on(struct annals_job *job) {
  struct annals_store_get *get = (struct annals_store_get *)job->op;
  enum annals_status status = get_pass(job->engine, get, ANNALS_TIER_DISK);
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
  annals_job_finish(job);
}

static enum annals_store_progress engine_get(struct annals_store *store,
                                             struct annals_store_get *get) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (!annals_engine_begin(engine, &get->op)) {
    return ANNALS_STORE_DONE;
  }
  if (get_pass(engine, get, ANNALS_TIER_CACHE) != ANNALS_STATUS_INCOMPLETE) {
    return annals_engine_done(engine);
  }
  annals_job_push(annals_job_new(engine, &get->op), get_on);
  return annals_engine_submit(engine, &get->op);
}

/* ---- what needs a tail --------------------------------------------------------------------- */

static void take_end(struct annals_store_tail *tail, const struct annals_tail_end *end) {
  tail->last_id = end->last_id;
  tail->last_event = end->last_event;
  tail->moment = end->moment;
}

static void tail_ready(struct annals_job *job) {
  struct annals_store_tail *tail = (struct annals_store_tail *)job->op;
  struct annals_tail_end end;
  annals_tail_table_get(job->engine->tails, job->entry, &end);
  take_end(tail, &end);
  annals_engine_set_status(job->engine, job->op,
                           tail->last_id > 0 ? ANNALS_STATUS_OK : ANNALS_STATUS_NOT_FOUND, NULL);
  annals_job_finish_with_tail(job);
}

static enum annals_store_progress engine_tail(struct annals_store *store,
                                              struct annals_store_tail *tail) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (!annals_engine_begin(engine, &tail->op)) {
    return ANNALS_STORE_DONE;
  }
  struct annals_tail_end end;
  if (annals_tail_table_peek(engine->tails, tail->arn, &end)) {
    take_end(tail, &end);
    return annals_engine_done(engine);
  }
  annals_job_need_tail(annals_job_new(engine, &tail->op), tail->arn, tail_ready);
  return annals_engine_submit(engine, &tail->op);
}

/* ---- append and delete --------------------------------------------------------------------- */

static void append_ready(struct annals_job *job) {
  job->write.append = (struct annals_store_append *)job->op;
  job->write.entry = job->entry;
  annals_writer_push(job->engine->writer, &job->write);
}

void annals_engine_complete_write(struct annals_write *write) {
  struct annals_job *job =
      (struct annals_job *)((char *)write - G_STRUCT_OFFSET(struct annals_job, write));
  if (write->deletion != NULL && job->op->outcome == ANNALS_STORE_OK) {
    g_atomic_int_add(&job->engine->deleted_kib, (gint)(write->deletion->value_bytes >> 10) + 1);
  }
  /* Who lost a race starts over, reads and compares: not on the thread that all appends wait for.
   */
  if (job->op->outcome == ANNALS_STORE_CONFLICT) {
    annals_job_push(job, annals_job_finish);
  } else {
    annals_job_finish(job);
  }
}

static enum annals_store_progress engine_append(struct annals_store *store,
                                                struct annals_store_append *append) {
  struct annals_engine *engine = (struct annals_engine *)store;
  g_assert(append->event_count >= 1 &&
           annals_frame_count(append->frames, append->frames_bytes) == append->event_count);
  if (!annals_engine_begin(engine, &append->op)) {
    return ANNALS_STORE_DONE;
  }
  annals_job_need_tail(annals_job_new(engine, &append->op), append->arn, append_ready);
  return annals_engine_submit(engine, &append->op);
}

/* Tells whether the record is still the one that the places are of. */
static enum annals_status check_deleted_record(struct annals_job *job,
                                               const struct annals_store_delete *deletion,
                                               char *ret_detail, bool *ret_same) {
  g_autoptr(GBytes) record = NULL;
  *ret_same = true;
  if (deletion->record == NULL) {
    return ANNALS_STATUS_OK;
  }
  enum annals_status status =
      get_record(job->engine, deletion->arn, ANNALS_TIER_DISK, &record, ret_detail);
  if (status == ANNALS_STATUS_OK) {
    gsize size = 0;
    const uint8_t *bytes = record != NULL ? g_bytes_get_data(record, &size) : NULL;
    *ret_same = bytes != NULL && size == deletion->record_bytes &&
                memcmp(bytes, deletion->record, size) == 0;
  }
  return status;
}

/* Collects the keys, and queues the deletion. */
static void delete_on(struct annals_job *job) {
  struct annals_store_delete *deletion = job->deletion.request;
  struct annals_reader reader = annals_engine_reader(job->engine, ANNALS_TIER_DISK_ONCE);
  const struct annals_pass_count count = annals_pass_count_begin();
  bool same = true;
  enum annals_status status = annals_deletion_collect(&job->deletion, &reader);
  if (status == ANNALS_STATUS_OK) {
    status = check_deleted_record(job, deletion, reader.detail, &same);
  }
  annals_pass_count_end(&count, reader.tier, status, &job->engine->counts);
  if (status != ANNALS_STATUS_OK || !same) {
    annals_engine_set_status(job->engine, job->op, status, reader.detail);
    if (!same) {
      deletion->last_id = deletion->expected_last_id;
      annals_store_op_set(job->op, ANNALS_STORE_CONFLICT, NULL);
    }
    annals_job_finish_with_tail(job);
    return;
  }
  job->write.deletion = &job->deletion;
  job->write.entry = job->entry;
  annals_writer_push(job->engine->writer, &job->write);
}

static void delete_ready(struct annals_job *job) {
  struct annals_store_delete *deletion = (struct annals_store_delete *)job->op;
  struct annals_tail_end end;
  annals_tail_table_get(job->engine->tails, job->entry, &end);
  g_bytes_unref(end.last_event);
  job->deletion.since = end.moment;
  if (end.last_id == deletion->expected_last_id) {
    job->deletion.request = deletion;
    annals_job_push(job, delete_on);
    return;
  }
  deletion->last_id = end.last_id;
  annals_store_op_set(job->op, end.last_id > 0 ? ANNALS_STORE_CONFLICT : ANNALS_STORE_NOT_FOUND,
                      NULL);
  annals_job_finish_with_tail(job);
}

static enum annals_store_progress engine_delete(struct annals_store *store,
                                                struct annals_store_delete *deletion) {
  struct annals_engine *engine = (struct annals_engine *)store;
  g_assert(deletion->expected_last_id >= 1);
  if (!annals_engine_begin(engine, &deletion->op)) {
    return ANNALS_STORE_DONE;
  }
  struct annals_job *job = annals_job_new(engine, &deletion->op);
  job->once = true;
  annals_job_need_tail(job, deletion->arn, delete_ready);
  return annals_engine_submit(engine, &deletion->op);
}

/* ---- list ---------------------------------------------------------------------------------- */

static enum annals_status list_pass(struct annals_engine *engine, struct annals_store_list *list,
                                    GByteArray *position, enum annals_tier tier) {
  struct annals_lister lister = {
      .db = engine->db,
      .listings = engine->families[ANNALS_FAMILY_LISTINGS],
      .tier = tier,
  };
  const struct annals_pass_count count = annals_pass_count_begin();
  enum annals_status status = annals_listing_pass(&lister, list, position);
  annals_pass_count_end(&count, tier, status, &engine->counts);
  if (status != ANNALS_STATUS_INCOMPLETE) {
    annals_engine_set_status(engine, &list->op, status, lister.detail);
  }
  return status;
}

static void list_on(struct annals_job *job) {
  struct annals_store_list *list = (struct annals_store_list *)job->op;
  enum annals_status status = list_pass(job->engine, list, job->position, ANNALS_TIER_DISK);
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
  annals_job_finish(job);
}

static enum annals_store_progress engine_list(struct annals_store *store,
                                              struct annals_store_list *list) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (!annals_engine_begin(engine, &list->op)) {
    return ANNALS_STORE_DONE;
  }
  g_autoptr(GByteArray) position = annals_listing_start(list);
  if (list_pass(engine, list, position, ANNALS_TIER_CACHE) != ANNALS_STATUS_INCOMPLETE) {
    return annals_engine_done(engine);
  }
  struct annals_job *job = annals_job_new(engine, &list->op);
  job->position = g_steal_pointer(&position);
  annals_job_push(job, list_on);
  return annals_engine_submit(engine, &list->op);
}

/* ---- health and close ---------------------------------------------------------------------- */

static enum annals_store_health engine_health(struct annals_store *store) {
  struct annals_engine *engine = (struct annals_engine *)store;
  enum annals_background background = annals_background_look(engine);
  if (annals_writer_has_failed(engine->writer) || background == ANNALS_BACKGROUND_FAILED) {
    return ANNALS_STORE_WRITES_STOPPED;
  }
  return annals_disk_room(&engine->disk) == ANNALS_DISK_FOR_ALL &&
                 background == ANNALS_BACKGROUND_WELL
             ? ANNALS_STORE_HEALTHY
             : ANNALS_STORE_FULL;
}

static void engine_statistics(struct annals_store *store,
                              const struct annals_store_figures *figures) {
  struct annals_engine *engine = (struct annals_engine *)store;
  annals_engine_statistics(engine, engine_health(store), figures);
}

void annals_engine_free(struct annals_engine *engine) {
  annals_disk_watch_stop(engine->watch);
  annals_workers_stop(engine->workers);
  annals_writer_stop(engine->writer);
  annals_workers_free(engine->workers);
  annals_tail_table_free(engine->tails);
  annals_run_cache_free(engine->runs);
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    if (engine->families[i] != NULL) {
      rocksdb_column_family_handle_destroy(engine->families[i]);
    }
  }
  if (engine->db != NULL) {
    rocksdb_close(engine->db);
  }
  rocksdb_readoptions_destroy(engine->get_cached);
  rocksdb_readoptions_destroy(engine->get_any);
  pthread_cond_destroy(&engine->quiet);
  pthread_mutex_destroy(&engine->lock);
  g_free(engine->disk.path);
  g_free(engine->disk.ballast_path);
  g_free(engine);
}

/* What is acknowledged is in the log and synced. A long log is spared the next start, which would
 * read it; not on a full disk, nor after a write that failed. */
static void flush_long_log(struct annals_engine *engine) {
  uint64_t bytes = 0;
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    uint64_t family_bytes = 0;
    rocksdb_property_int_cf(engine->db, engine->families[i], "rocksdb.cur-size-all-mem-tables",
                            &family_bytes);
    bytes += family_bytes;
  }
  if (bytes < FLUSHED_ON_CLOSE_BYTES || engine_health(&engine->store) != ANNALS_STORE_HEALTHY) {
    return;
  }
  rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    g_autofree char *error = NULL;
    rocksdb_flush_cf(engine->db, options, engine->families[i], &error);
  }
  rocksdb_flushoptions_destroy(options);
}

static void engine_close(struct annals_store *store) {
  struct annals_engine *engine = (struct annals_engine *)store;
  pthread_mutex_lock(&engine->lock);
  engine->closing = true;
  while (engine->inside > 0) {
    pthread_cond_wait(&engine->quiet, &engine->lock);
  }
  pthread_mutex_unlock(&engine->lock);
  flush_long_log(engine);
  annals_engine_free(engine);
}

const struct annals_store_ops annals_engine_ops = {
    .name = "rocksdb",
    .read = engine_read,
    .tail = engine_tail,
    .get = engine_get,
    .append = engine_append,
    .delete_execution = engine_delete,
    .list = engine_list,
    .health = engine_health,
    .statistics = engine_statistics,
    .close = engine_close,
    .backup = annals_engine_backup,
    .verify = annals_engine_verify,
    .get_data_key = annals_engine_get_data_key,
    .put_data_key = annals_engine_put_data_key,
};
