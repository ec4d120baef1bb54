#include <string.h>

#include "storage/frame.h"
#include "storage/handoff.h"
#include "storage/outcome.h"
#include "storage/rocksdb/engine.h"

/* ---- who is inside ------------------------------------------------------------------------- */

static bool enter(struct annals_engine *engine) {
  pthread_mutex_lock(&engine->lock);
  bool open = !engine->closing;
  engine->inside += open;
  pthread_mutex_unlock(&engine->lock);
  return open;
}

static void leave(struct annals_engine *engine) {
  pthread_mutex_lock(&engine->lock);
  engine->inside--;
  if (engine->inside == 0 && engine->closing) {
    pthread_cond_signal(&engine->quiet);
  }
  pthread_mutex_unlock(&engine->lock);
}

/* Begins an operation. Returns false with the result set when the engine is closing. */
static bool begin(struct annals_engine *engine, struct annals_store_op *op) {
  annals_store_op_begin(op);
  if (!enter(engine)) {
    annals_store_op_set(op, ANNALS_STORE_UNAVAILABLE, "the store is closing");
    return false;
  }
  return true;
}

/* ---- jobs ---------------------------------------------------------------------------------- */

/* Makes the job of an operation that is inside. */
static struct annals_job *job_new(struct annals_engine *engine, struct annals_store_op *op) {
  struct annals_job *job = g_new0(struct annals_job, 1);
  job->engine = engine;
  job->op = op;
  pthread_mutex_lock(&engine->lock);
  engine->inside++; /* also when closing: its operation was there before */
  pthread_mutex_unlock(&engine->lock);
  return job;
}

/* Completes the operation with the result it has. The job is gone. */
static void job_finish(struct annals_job *job) {
  struct annals_engine *engine = job->engine;
  annals_store_op_finish(job->op);
  g_free(job);
  leave(engine);
}

/* Passes the job to a worker, which calls run. */
static void job_push(struct annals_job *job, void (*run)(struct annals_job *job)) {
  job->run = run;
  /* Releases all that was written before to the worker, for ThreadSanitizer's eyes: it does not
   * see the pool's own lock. */
  g_atomic_int_set(&job->pushed, 1);
  g_thread_pool_push(job->engine->workers, job, NULL);
}

void annals_engine_run_job(gpointer data, G_GNUC_UNUSED gpointer engine) {
  struct annals_job *job = data;
  g_assert(g_atomic_int_get(&job->pushed) == 1);
  job->run(job);
}

/* The caller's part ends: leaves the engine. */
static enum annals_store_progress submit(struct annals_engine *engine, struct annals_store_op *op) {
  enum annals_store_progress progress = annals_store_op_return(op);
  leave(engine);
  return progress;
}

static struct annals_reader make_reader(struct annals_engine *engine, enum annals_tier tier) {
  return (struct annals_reader){
      .db = engine->db,
      .history = engine->families[ANNALS_FAMILY_HISTORY],
      .tier = tier,
  };
}

static void set_status(struct annals_store_op *op, enum annals_status status, const char *detail) {
  bool failed = status != ANNALS_STATUS_OK && status != ANNALS_STATUS_NOT_FOUND;
  annals_store_op_set(op, annals_status_outcome(status), failed ? detail : NULL);
}

/* ---- read ---------------------------------------------------------------------------------- */

static enum annals_status read_pass(struct annals_engine *engine, struct annals_store_read *read,
                                    struct annals_read_state *state, enum annals_tier tier) {
  struct annals_reader reader = make_reader(engine, tier);
  enum annals_status status = annals_reader_pass(&reader, read, state);
  if (status != ANNALS_STATUS_INCOMPLETE) {
    set_status(&read->op, status, reader.detail);
  }
  return status;
}

static void read_on(struct annals_job *job) {
  struct annals_store_read *read = (struct annals_store_read *)job->op;
  enum annals_status status = read_pass(job->engine, read, &job->read_state, ANNALS_TIER_DISK);
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
  job_finish(job);
}

static enum annals_store_progress engine_read(struct annals_store *store,
                                              struct annals_store_read *read) {
  struct annals_engine *engine = (struct annals_engine *)store;
  g_assert(read->from_id >= 1);
  if (!begin(engine, &read->op)) {
    return ANNALS_STORE_DONE;
  }
  struct annals_read_state state = {.next_id = read->from_id};
  if (read_pass(engine, read, &state, ANNALS_TIER_CACHE) != ANNALS_STATUS_INCOMPLETE) {
    leave(engine);
    return ANNALS_STORE_DONE;
  }
  struct annals_job *job = job_new(engine, &read->op);
  job->read_state = state;
  job_push(job, read_on);
  return submit(engine, &read->op);
}

/* ---- get ----------------------------------------------------------------------------------- */

/* OK with NULL: there is no record. */
static enum annals_status get_record(struct annals_engine *engine, const char *arn,
                                     enum annals_tier tier, GBytes **ret_record, char *ret_detail) {
  char *error = NULL;
  rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(
      engine->db, tier == ANNALS_TIER_CACHE ? engine->get_cached : engine->get_any,
      engine->families[ANNALS_FAMILY_EXECUTIONS], arn, strlen(arn), &error);
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
    /* Records are small: a copy does not keep a block in memory. */
    *ret_record = g_bytes_new(bytes, size);
    rocksdb_pinnableslice_destroy(slice);
  }
  return ANNALS_STATUS_OK;
}

/*
 * An execution without a record has an empty one; only one without a history does not exist. The
 * record is asked for again behind the history: both may have come meanwhile.
 */
static enum annals_status get_pass(struct annals_engine *engine, struct annals_store_get *get,
                                   enum annals_tier tier) {
  struct annals_reader reader = make_reader(engine, tier);
  GBytes *record = NULL;
  enum annals_status status = get_record(engine, get->arn, tier, &record, reader.detail);
  if (status == ANNALS_STATUS_OK && record == NULL) {
    status = annals_reader_find(&reader, get->arn);
    if (status == ANNALS_STATUS_OK) {
      status = get_record(engine, get->arn, tier, &record, reader.detail);
    }
  }
  if (status == ANNALS_STATUS_INCOMPLETE) {
    return status;
  }
  set_status(&get->op, status, reader.detail);
  if (status == ANNALS_STATUS_OK) {
    get->record = record != NULL ? record : g_bytes_new_static("", 0);
  }
  return status;
}

static void get_on(struct annals_job *job) {
  struct annals_store_get *get = (struct annals_store_get *)job->op;
  enum annals_status status = get_pass(job->engine, get, ANNALS_TIER_DISK);
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
  job_finish(job);
}

static enum annals_store_progress engine_get(struct annals_store *store,
                                             struct annals_store_get *get) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (!begin(engine, &get->op)) {
    return ANNALS_STORE_DONE;
  }
  if (get_pass(engine, get, ANNALS_TIER_CACHE) != ANNALS_STATUS_INCOMPLETE) {
    leave(engine);
    return ANNALS_STORE_DONE;
  }
  job_push(job_new(engine, &get->op), get_on);
  return submit(engine, &get->op);
}

/* ---- what needs a tail --------------------------------------------------------------------- */

/* Ends the load of an entry, and goes on with all who waited for it. */
static void loaded(struct annals_engine *engine, struct annals_tail_entry *entry,
                   struct annals_tail *tail, enum annals_status status, const char *detail) {
  GSList *waiters = annals_tail_table_loaded(engine->tails, entry, tail);
  for (GSList *at = waiters; at != NULL; at = at->next) {
    struct annals_job *job = at->data;
    if (tail != NULL) {
      job->entry = entry;
      job->ready(job);
    } else {
      set_status(job->op, status, detail);
      job_finish(job);
    }
  }
  /* The engine may be gone by now, with the last of them. */
  g_slist_free(waiters);
}

static enum annals_status load_pass(struct annals_engine *engine, struct annals_tail_entry *entry,
                                    enum annals_tier tier) {
  struct annals_reader reader = make_reader(engine, tier);
  struct annals_tail tail;
  enum annals_status status = annals_reader_load_tail(&reader, annals_tail_entry_arn(entry), &tail);
  if (status == ANNALS_STATUS_OK) {
    loaded(engine, entry, &tail, status, NULL);
  } else if (status != ANNALS_STATUS_INCOMPLETE) {
    loaded(engine, entry, NULL, status, reader.detail);
  }
  return status;
}

/* The loader is itself among those who wait: its job goes on with theirs. */
static void load_on(struct annals_job *job) {
  struct annals_job loader = *job;
  enum annals_status status = load_pass(loader.engine, loader.entry, ANNALS_TIER_DISK);
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
}

/* Calls ready once the tail of arn is there; on failure completes the operation. */
static void job_need_tail(struct annals_job *job, const char *arn,
                          void (*ready)(struct annals_job *job)) {
  struct annals_engine *engine = job->engine;
  struct annals_tail_entry *entry;
  job->ready = ready;
  switch (annals_tail_table_pin(engine->tails, arn, job, &entry)) {
    case ANNALS_TAIL_READY:
      job->entry = entry;
      ready(job);
      break;
    case ANNALS_TAIL_LOAD:
      /* Nobody completes the job before the entry is loaded, which is for this thread to do. */
      job->entry = entry;
      if (load_pass(engine, entry, ANNALS_TIER_CACHE) == ANNALS_STATUS_INCOMPLETE) {
        job_push(job, load_on);
      }
      break;
    case ANNALS_TAIL_WAITING:
      break;
  }
}

static void tail_ready(struct annals_job *job) {
  struct annals_store_tail *tail = (struct annals_store_tail *)job->op;
  annals_tail_table_get(job->engine->tails, job->entry, &tail->last_id, &tail->last_event);
  annals_tail_table_unpin(job->engine->tails, job->entry);
  set_status(job->op, tail->last_id > 0 ? ANNALS_STATUS_OK : ANNALS_STATUS_NOT_FOUND, NULL);
  job_finish(job);
}

static enum annals_store_progress engine_tail(struct annals_store *store,
                                              struct annals_store_tail *tail) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (!begin(engine, &tail->op)) {
    return ANNALS_STORE_DONE;
  }
  if (annals_tail_table_peek(engine->tails, tail->arn, &tail->last_id, &tail->last_event)) {
    leave(engine);
    return ANNALS_STORE_DONE;
  }
  job_need_tail(job_new(engine, &tail->op), tail->arn, tail_ready);
  return submit(engine, &tail->op);
}

static void append_ready(struct annals_job *job) {
  job->write.append = (struct annals_store_append *)job->op;
  job->write.entry = job->entry;
  annals_writer_push(job->engine->writer, &job->write);
}

void annals_engine_complete_write(struct annals_write *write) {
  struct annals_job *job =
      (struct annals_job *)((char *)write - G_STRUCT_OFFSET(struct annals_job, write));
  /* Who lost a race starts over, reads and compares: not on the thread that all appends wait for.
   */
  if (job->op->outcome == ANNALS_STORE_CONFLICT) {
    job_push(job, job_finish);
  } else {
    job_finish(job);
  }
}

static enum annals_store_progress engine_append(struct annals_store *store,
                                                struct annals_store_append *append) {
  struct annals_engine *engine = (struct annals_engine *)store;
  g_assert(append->event_count >= 1 &&
           annals_frame_count(append->frames, append->frames_bytes) == append->event_count);
  if (!begin(engine, &append->op)) {
    return ANNALS_STORE_DONE;
  }
  job_need_tail(job_new(engine, &append->op), append->arn, append_ready);
  return submit(engine, &append->op);
}

/* ---- health and close ---------------------------------------------------------------------- */

static enum annals_store_health engine_health(struct annals_store *store) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (annals_writer_has_failed(engine->writer)) {
    return ANNALS_STORE_WRITES_STOPPED;
  }
  return annals_disk_is_low(&engine->disk) ? ANNALS_STORE_FULL : ANNALS_STORE_HEALTHY;
}

void annals_engine_free(struct annals_engine *engine) {
  if (engine->workers != NULL) {
    g_thread_pool_free(engine->workers, FALSE, TRUE);
  }
  annals_writer_stop(engine->writer);
  annals_tail_table_free(engine->tails);
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
  g_free(engine);
}

/* What is acknowledged is in the log and synced: nothing is left to flush. */
static void engine_close(struct annals_store *store) {
  struct annals_engine *engine = (struct annals_engine *)store;
  pthread_mutex_lock(&engine->lock);
  engine->closing = true;
  while (engine->inside > 0) {
    pthread_cond_wait(&engine->quiet, &engine->lock);
  }
  pthread_mutex_unlock(&engine->lock);
  annals_engine_free(engine);
}

const struct annals_store_ops annals_engine_ops = {
    .name = "rocksdb",
    .read = engine_read,
    .tail = engine_tail,
    .get = engine_get,
    .append = engine_append,
    .health = engine_health,
    .close = engine_close,
};
