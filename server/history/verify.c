#include "server/history/verify.h"

#include "server/history/constraint.h"
#include "server/history/error.h"

enum {
  FAULTS_MAX = 1000, /* that wait to be taken */
  RATE_DEFAULT = 32 << 20,
};

static const int64_t TELL_US = G_USEC_PER_SEC;

/* How often a check that waits looks whether anybody else still does. */
static const int64_t LOOK_US = G_USEC_PER_SEC / 10;

static struct annals_verify *verify_of(struct annals_store_verify *store) {
  return store->op.owner;
}

/* ---- on the engine's thread ---------------------------------------------------------------- */

static bool is_over(const struct annals_verify *verify) {
  return verify->stopped || annals_cancel_is_due(verify->cancel);
}

static void wait_a_little(struct annals_verify *verify) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  int64_t ns = until.tv_nsec + LOOK_US * 1000;
  until.tv_sec += ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  pthread_cond_timedwait(&verify->changed, &verify->lock, &until);
}

static void on_fault(struct annals_store_verify *store, const struct annals_store_fault *fault) {
  struct annals_verify *verify = verify_of(store);
  struct annals_verify_fault *copy = g_new(struct annals_verify_fault, 1);
  *copy = (struct annals_verify_fault){
      .file = g_strdup(fault->file),
      .part = g_strdup(fault->part),
      .execution_arn = g_utf8_make_valid(fault->arn, -1),
      .event_id = fault->event_id,
      .text = g_utf8_make_valid(fault->text, -1),
  };
  pthread_mutex_lock(&verify->lock);
  while (verify->faults.length >= FAULTS_MAX && !is_over(verify)) {
    wait_a_little(verify);
  }
  g_queue_push_tail(&verify->faults, copy);
  verify->summary = store->summary;
  pthread_mutex_unlock(&verify->lock);
  verify->on_change(verify);
}

static bool on_progress(struct annals_store_verify *store) {
  struct annals_verify *verify = verify_of(store);
  int64_t now_us = g_get_monotonic_time();
  pthread_mutex_lock(&verify->lock);
  bool go_on = !is_over(verify);
  bool due = now_us - verify->told_us >= TELL_US;
  if (due) {
    verify->told_us = now_us;
    verify->summary = store->summary;
  }
  pthread_mutex_unlock(&verify->lock);
  if (due) {
    verify->on_change(verify);
  }
  return go_on;
}

static GError *error_of(const struct annals_verify *verify) {
  const struct annals_store_op *op = &verify->store.op;
  switch (op->outcome) {
    case ANNALS_STORE_OK:
      return NULL;
    case ANNALS_STORE_BUSY:
      return annals_error_new(ANNALS_REASON_ALREADY_RUNNING, "another check is under way");
    case ANNALS_STORE_UNAVAILABLE:
      return annals_cancel_is_due(verify->cancel)
                 ? annals_cancel_error(verify->cancel)
                 : annals_error_new(ANNALS_REASON_DRAINING, "the server is stopping");
    default:
      return annals_history_read_error(op);
  }
}

static void finish(struct annals_store_op *op) {
  struct annals_verify *verify = op->owner;
  pthread_mutex_lock(&verify->lock);
  verify->summary = verify->store.summary;
  pthread_mutex_unlock(&verify->lock);
  verify->error = error_of(verify);
  verify->on_done(verify);
}

/* ---- on the caller's ----------------------------------------------------------------------- */

static GError *check(struct annals_history *history, const struct annals_verify *verify) {
  const struct annals_verify_request *request = &verify->request;
  const struct annals_history_options *options = annals_history_options(history);
  GError *error = NULL;
  if (request->bytes_per_second < 0) {
    annals_constraint_violated(&error, "max_bytes_per_second", NULL,
                               "Member must have value greater than or equal to 0");
  }
  if (error != NULL ||
      !annals_authorize(history, request->principal, ANNALS_ACTION_VERIFY_STORE, "*", &error)) {
    return error;
  }
  if (options->store->ops->verify == NULL) {
    return annals_error_new(ANNALS_REASON_UNSUPPORTED, "the server's store cannot be checked");
  }
  return annals_cancel_is_due(verify->cancel) ? annals_cancel_error(verify->cancel) : NULL;
}

enum annals_progress annals_verify_run(struct annals_history *history,
                                       struct annals_verify *verify) {
  const struct annals_history_options *options = annals_history_options(history);
  verify->error = check(history, verify);
  if (verify->error != NULL) {
    return ANNALS_DONE;
  }
  pthread_mutex_init(&verify->lock, NULL);
  pthread_cond_init(&verify->changed, NULL);
  g_queue_init(&verify->faults);
  verify->begun = true;
  verify->audit = annals_audit_new(options->schema);
  int64_t rate = verify->request.bytes_per_second;
  verify->store = (struct annals_store_verify){
      .op = {.on_done = finish, .owner = verify},
      .auditor = annals_audit_auditor(verify->audit),
      .bytes_per_second = rate > 0 ? (uint64_t)rate : RATE_DEFAULT,
      .on_fault = on_fault,
      .on_progress = on_progress,
  };
  if (options->store->ops->verify(options->store, &verify->store) == ANNALS_STORE_PENDING) {
    return ANNALS_PENDING;
  }
  verify->summary = verify->store.summary;
  verify->error = error_of(verify);
  return ANNALS_DONE;
}

bool annals_verify_take(struct annals_verify *verify, struct annals_verify_fault *ret_fault) {
  pthread_mutex_lock(&verify->lock);
  struct annals_verify_fault *fault = g_queue_pop_head(&verify->faults);
  pthread_cond_signal(&verify->changed);
  pthread_mutex_unlock(&verify->lock);
  if (fault != NULL) {
    *ret_fault = *fault;
    g_free(fault);
  }
  return fault != NULL;
}

void annals_verify_fault_clear(struct annals_verify_fault *fault) {
  g_free(fault->file);
  g_free(fault->part);
  g_free(fault->execution_arn);
  g_free(fault->text);
}

void annals_verify_get_summary(struct annals_verify *verify,
                               struct annals_store_verify_summary *ret_summary) {
  pthread_mutex_lock(&verify->lock);
  *ret_summary = verify->summary;
  pthread_mutex_unlock(&verify->lock);
}

void annals_verify_stop(struct annals_verify *verify) {
  pthread_mutex_lock(&verify->lock);
  verify->stopped = true;
  pthread_cond_signal(&verify->changed);
  pthread_mutex_unlock(&verify->lock);
}

void annals_verify_clear(struct annals_verify *verify) {
  g_clear_error(&verify->error);
  if (!verify->begun) {
    return;
  }
  struct annals_verify_fault fault;
  while (annals_verify_take(verify, &fault)) {
    annals_verify_fault_clear(&fault);
  }
  annals_audit_free(verify->audit);
  pthread_cond_destroy(&verify->changed);
  pthread_mutex_destroy(&verify->lock);
  verify->begun = false;
}
