#include "storage/rocksdb/data_keys.h"

#include <string.h>

#include "storage/outcome.h"
#include "storage/rocksdb/job.h"

/* NOT_FOUND where there is none. */
static enum annals_status get(struct annals_engine *engine, const char *arn, int64_t ordinal,
                              enum annals_tier tier, GBytes **ret_record, char *ret_detail) {
  size_t arn_size = strlen(arn);
  g_autofree uint8_t *bytes = g_malloc(arn_size + ANNALS_KEY_SEEK_EXTRA);
  const struct annals_engine_key key = {ANNALS_FAMILY_HISTORY, bytes,
                                        annals_key_put_data(bytes, arn, arn_size, ordinal)};
  g_autoptr(GBytes) record = NULL;
  const struct annals_pass_count count = annals_pass_count_begin();
  enum annals_status status = annals_engine_get_record(engine, &key, tier, &record, ret_detail);
  annals_pass_count_end(&count, tier, status, &engine->counts);
  if (status != ANNALS_STATUS_OK) {
    return status;
  }
  if (record == NULL) {
    return ANNALS_STATUS_NOT_FOUND;
  }
  *ret_record = g_steal_pointer(&record);
  return ANNALS_STATUS_OK;
}

/* ---- get ----------------------------------------------------------------------------------- */

static enum annals_status get_pass(struct annals_engine *engine,
                                   struct annals_store_get_data_key *request,
                                   enum annals_tier tier) {
  char detail[ANNALS_STORE_DETAIL_BYTES] = "";
  enum annals_status status =
      get(engine, request->arn, request->ordinal, tier, &request->record, detail);
  if (status != ANNALS_STATUS_INCOMPLETE) {
    annals_engine_set_status(engine, &request->op, status, detail);
  }
  return status;
}

static void get_on(struct annals_job *job) {
  enum annals_status status =
      get_pass(job->engine, (struct annals_store_get_data_key *)job->op, ANNALS_TIER_DISK);
  g_assert(status != ANNALS_STATUS_INCOMPLETE);
  annals_job_finish(job);
}

enum annals_store_progress annals_engine_get_data_key(struct annals_store *store,
                                                      struct annals_store_get_data_key *request) {
  struct annals_engine *engine = (struct annals_engine *)store;
  g_assert(request->ordinal >= 1);
  if (!annals_engine_begin(engine, &request->op)) {
    return ANNALS_STORE_DONE;
  }
  if (get_pass(engine, request, ANNALS_TIER_CACHE) != ANNALS_STATUS_INCOMPLETE) {
    return annals_engine_done(engine);
  }
  annals_job_push(annals_job_new(engine, &request->op), get_on);
  return annals_engine_submit(engine, &request->op);
}

/* ---- put ----------------------------------------------------------------------------------- */

/* Ends the operation if the record is not the one that is expected; returns whether it is. */
static bool is_expected(struct annals_job *job, struct annals_store_put_data_key *request) {
  char detail[ANNALS_STORE_DETAIL_BYTES] = "";
  g_autoptr(GBytes) record = NULL;
  enum annals_status status =
      get(job->engine, request->arn, request->data_key.ordinal, ANNALS_TIER_DISK, &record, detail);
  bool expected = status == ANNALS_STATUS_OK && g_bytes_equal(record, request->expected);
  if (status != ANNALS_STATUS_OK) {
    annals_engine_set_status(job->engine, job->op, status, detail);
  } else if (!expected) {
    annals_store_op_set(job->op, ANNALS_STORE_CONFLICT, NULL);
  }
  return expected;
}

static void put_on(struct annals_job *job) {
  if (!is_expected(job, job->change.request)) {
    annals_job_finish_with_tail(job);
    return;
  }
  job->write.change = &job->change;
  job->write.entry = job->entry;
  annals_writer_push(job->engine->writer, &job->write);
}

static void put_ready(struct annals_job *job) {
  struct annals_tail_end end;
  annals_tail_table_get(job->engine->tails, job->entry, &end);
  g_bytes_unref(end.last_event);
  job->change.since = end.moment;
  job->change.request = (struct annals_store_put_data_key *)job->op;
  annals_job_push(job, put_on);
}

enum annals_store_progress annals_engine_put_data_key(struct annals_store *store,
                                                      struct annals_store_put_data_key *request) {
  struct annals_engine *engine = (struct annals_engine *)store;
  g_assert(request->data_key.ordinal >= 1 && request->data_key.record_bytes > 0);
  if (!annals_engine_begin(engine, &request->op)) {
    return ANNALS_STORE_DONE;
  }
  annals_job_need_tail(annals_job_new(engine, &request->op), request->arn, put_ready);
  return annals_engine_submit(engine, &request->op);
}
