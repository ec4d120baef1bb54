#include "storage/rocksdb/online_verify.h"

#include "storage/outcome.h"
#include "storage/rocksdb/job.h"
#include "storage/rocksdb/verification.h"

static bool set_verifying(struct annals_engine *engine, bool verifying) {
  pthread_mutex_lock(&engine->lock);
  bool changed = engine->verifying != verifying;
  engine->verifying = verifying;
  pthread_mutex_unlock(&engine->lock);
  return changed;
}

static void *run(void *data) {
  struct annals_job *job = data;
  struct annals_engine *engine = job->engine;
  struct annals_verification verification = {
      .request = (struct annals_store_verify *)job->op,
      .db = engine->db,
      .families = engine->families,
  };
  (void)annals_verification_check_files(&verification, engine->disk.path, true);
  if (verification.stopped) {
    annals_store_op_set(job->op, ANNALS_STORE_UNAVAILABLE, "stopped");
  } else {
    annals_verification_run(&verification);
  }
  set_verifying(engine, false);
  annals_job_finish(job);
  return NULL;
}

static void start(struct annals_job *job) {
  if (!annals_job_run_apart(job, run)) {
    set_verifying(job->engine, false);
    annals_job_finish(job);
  }
}

enum annals_store_progress annals_engine_verify(struct annals_store *store,
                                                struct annals_store_verify *verify) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (!annals_engine_begin(engine, &verify->op)) {
    return ANNALS_STORE_DONE;
  }
  if (!set_verifying(engine, true)) {
    annals_store_op_set(&verify->op, ANNALS_STORE_BUSY, NULL);
    return annals_engine_done(engine);
  }
  verify->summary = (struct annals_store_verify_summary){0};
  start(annals_job_new(engine, &verify->op));
  return annals_engine_submit(engine, &verify->op);
}
