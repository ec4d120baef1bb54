#include "storage/rocksdb/job.h"

#include "storage/handoff.h"
#include "storage/outcome.h"
#include "storage/rocksdb/damage.h"

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

bool annals_engine_begin(struct annals_engine *engine, struct annals_store_op *op) {
  annals_store_op_begin(op);
  if (!enter(engine)) {
    annals_store_op_set(op, ANNALS_STORE_UNAVAILABLE, "the store is closing");
    return false;
  }
  return true;
}

enum annals_store_progress annals_engine_done(struct annals_engine *engine) {
  leave(engine);
  return ANNALS_STORE_DONE;
}

enum annals_store_progress annals_engine_submit(struct annals_engine *engine,
                                                struct annals_store_op *op) {
  enum annals_store_progress progress = annals_store_op_return(op);
  leave(engine);
  return progress;
}

void annals_engine_set_status(struct annals_engine *engine, struct annals_store_op *op,
                              enum annals_status status, const char *detail) {
  bool failed = status != ANNALS_STATUS_OK && status != ANNALS_STATUS_NOT_FOUND;
  if (status == ANNALS_STATUS_CORRUPT) {
    annals_damage_found_by_read(engine, detail);
  }
  annals_store_op_set(op, annals_status_outcome(status), failed ? detail : NULL);
}

struct annals_reader annals_engine_reader(struct annals_engine *engine, enum annals_tier tier) {
  return (struct annals_reader){
      .db = engine->db,
      .history = engine->families[ANNALS_FAMILY_HISTORY],
      .tier = tier,
  };
}

/* ---- jobs ---------------------------------------------------------------------------------- */

struct annals_job *annals_job_new(struct annals_engine *engine, struct annals_store_op *op) {
  struct annals_job *job = g_new0(struct annals_job, 1);
  job->engine = engine;
  job->op = op;
  pthread_mutex_lock(&engine->lock);
  engine->inside++; /* also when closing: its operation was there before */
  pthread_mutex_unlock(&engine->lock);
  return job;
}

void annals_job_finish(struct annals_job *job) {
  struct annals_engine *engine = job->engine;
  annals_store_op_finish(job->op);
  g_clear_pointer(&job->position, g_byte_array_unref);
  g_clear_pointer(&job->deletion.keys, g_array_unref);
  g_free(job);
  leave(engine);
}

void annals_job_push(struct annals_job *job, void (*run)(struct annals_job *job)) {
  job->run = run;
  annals_workers_push(job->engine->workers, job);
}

void annals_job_run(struct annals_job *job) {
  job->run(job);
}

/* ---- jobs that wait for a tail ------------------------------------------------------------- */

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
      annals_engine_set_status(engine, job->op, status, detail);
      annals_job_finish(job);
    }
  }
  /* The engine may be gone by now, with the last of them. */
  g_slist_free(waiters);
}

static enum annals_status load_pass(struct annals_engine *engine, struct annals_tail_entry *entry,
                                    enum annals_tier tier) {
  struct annals_reader reader = annals_engine_reader(engine, tier);
  struct annals_tail tail;
  const struct annals_pass_count count = annals_pass_count_begin();
  enum annals_status status = annals_reader_load_tail(&reader, annals_tail_entry_arn(entry), &tail);
  annals_pass_count_end(&count, tier, status, &engine->counts);
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
  enum annals_tier tier = loader.once ? ANNALS_TIER_DISK_ONCE : ANNALS_TIER_DISK;
  enum annals_status status = load_pass(loader.engine, loader.entry, tier);
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
}

void annals_job_need_tail(struct annals_job *job, const char *arn,
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
        annals_job_push(job, load_on);
      }
      break;
    case ANNALS_TAIL_WAITING:
      break;
  }
}

void annals_job_finish_with_tail(struct annals_job *job) {
  annals_tail_table_unpin(job->engine->tails, job->entry);
  annals_job_finish(job);
}

bool annals_job_run_apart(struct annals_job *job, void *(*run)(void *job)) {
  pthread_t thread;
  int why = pthread_create(&thread, NULL, run, job);
  if (why != 0) {
    annals_store_op_set(job->op, ANNALS_STORE_FAILED, g_strerror(why));
    return false;
  }
  pthread_detach(thread);
  return true;
}
