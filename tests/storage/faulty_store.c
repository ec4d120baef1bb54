#include "tests/storage/faulty_store.h"

#include <pthread.h>

#include "storage/handoff.h"
#include "storage/outcome.h"

enum { OPERATION_COUNT = 8 };

struct faulty {
  struct annals_store store;
  struct annals_store *inner;
  pthread_t thread;

  pthread_mutex_t lock; /* of all below */
  pthread_cond_t changed;
  struct annals_fault fault;
  int hits;
  int calls[OPERATION_COUNT];
  bool pending;
  bool held;
  unsigned kept; /* operations */
  bool health_set;
  enum annals_store_health health;
  struct job *first; /* for the thread */
  struct job *last;
  int inside; /* calls and jobs under way */
  bool closing;
  bool stopping;
};

/* One operation: the caller's request, and the one that the inner store gets. */
struct job {
  struct faulty *faulty;
  unsigned operation;
  struct annals_store_op *outer;
  union {
    struct annals_store_op op;
    struct annals_store_read read;
    struct annals_store_tail tail;
    struct annals_store_get get;
    struct annals_store_append append;
    struct annals_store_delete deletion;
    struct annals_store_list list;
    struct annals_store_get_data_key get_data_key;
    struct annals_store_put_data_key put_data_key;
  } inner;
  struct annals_fault fault; /* outcome OK: none */
  int runs;
  bool started;
  struct job *next;
};

static void leave(struct faulty *faulty) {
  pthread_mutex_lock(&faulty->lock);
  faulty->inside--;
  pthread_cond_broadcast(&faulty->changed);
  pthread_mutex_unlock(&faulty->lock);
}

static void push(struct job *job) {
  struct faulty *faulty = job->faulty;
  pthread_mutex_lock(&faulty->lock);
  job->next = NULL;
  if (faulty->last != NULL) {
    faulty->last->next = job;
  } else {
    faulty->first = job;
  }
  faulty->last = job;
  pthread_cond_broadcast(&faulty->changed);
  pthread_mutex_unlock(&faulty->lock);
}

/* ---- one operation ------------------------------------------------------------------------- */

static void copy_result(struct job *job) {
  annals_store_op_set(job->outer, job->inner.op.outcome, job->inner.op.detail);
  switch (job->operation) {
    case ANNALS_FAULTY_TAIL: {
      struct annals_store_tail *tail = (struct annals_store_tail *)job->outer;
      tail->last_id = job->inner.tail.last_id;
      tail->last_event = job->inner.tail.last_event;
      tail->moment = job->inner.tail.moment;
      break;
    }
    case ANNALS_FAULTY_GET:
      ((struct annals_store_get *)job->outer)->record = job->inner.get.record;
      break;
    case ANNALS_FAULTY_GET_DATA_KEY:
      ((struct annals_store_get_data_key *)job->outer)->record = job->inner.get_data_key.record;
      break;
    case ANNALS_FAULTY_APPEND:
      ((struct annals_store_append *)job->outer)->last_id = job->inner.append.last_id;
      break;
    case ANNALS_FAULTY_DELETE:
      ((struct annals_store_delete *)job->outer)->last_id = job->inner.deletion.last_id;
      break;
    default:
      break;
  }
}

static bool has_fault(const struct job *job) {
  return job->fault.outcome != ANNALS_STORE_OK;
}

/* Whether the operation hands over a part of its result at a time. */
static bool is_scan(const struct job *job) {
  return job->operation == ANNALS_FAULTY_READ || job->operation == ANNALS_FAULTY_LIST;
}

/* Says what the caller gets once the inner store is done, and completes. The job is gone. */
static void finish(struct job *job) {
  struct faulty *faulty = job->faulty;
  if (!job->started) {
    annals_store_op_set(job->outer, job->fault.outcome, "injected");
  } else if (!has_fault(job)) {
    copy_result(job);
  } else if (is_scan(job) || job->inner.op.outcome == ANNALS_STORE_OK) {
    annals_store_op_set(job->outer, job->fault.outcome, "injected");
  } else {
    copy_result(job);
  }
  annals_store_op_finish(job->outer);
  g_free(job);
  leave(faulty);
}

static void inner_done(struct annals_store_op *op) {
  struct job *job = op->owner;
  pthread_mutex_lock(&job->faulty->lock);
  bool pending = job->faulty->pending;
  pthread_mutex_unlock(&job->faulty->lock);
  if (pending) {
    push(job);
  } else {
    finish(job);
  }
}

static bool forward_run(struct annals_store_read *read, const struct annals_run *run) {
  struct job *job = read->op.owner;
  struct annals_store_read *outer = (struct annals_store_read *)job->outer;
  if (has_fault(job) && job->runs == job->fault.runs) {
    return false;
  }
  job->runs++;
  return outer->on_run(outer, run);
}

static bool forward_entry(struct annals_store_list *list, const struct annals_store_entry *entry) {
  struct job *job = list->op.owner;
  struct annals_store_list *outer = (struct annals_store_list *)job->outer;
  if (has_fault(job) && job->runs == job->fault.runs) {
    return false;
  }
  job->runs++;
  return outer->on_entry(outer, entry);
}

/* Makes the inner request of the caller's. */
static void copy_request(struct job *job) {
  switch (job->operation) {
    case ANNALS_FAULTY_READ:
      job->inner.read = *(struct annals_store_read *)job->outer;
      job->inner.read.on_run = forward_run;
      break;
    case ANNALS_FAULTY_TAIL:
      job->inner.tail = *(struct annals_store_tail *)job->outer;
      break;
    case ANNALS_FAULTY_GET:
      job->inner.get = *(struct annals_store_get *)job->outer;
      break;
    case ANNALS_FAULTY_DELETE:
      job->inner.deletion = *(struct annals_store_delete *)job->outer;
      break;
    case ANNALS_FAULTY_GET_DATA_KEY:
      job->inner.get_data_key = *(struct annals_store_get_data_key *)job->outer;
      break;
    case ANNALS_FAULTY_PUT_DATA_KEY:
      job->inner.put_data_key = *(struct annals_store_put_data_key *)job->outer;
      break;
    case ANNALS_FAULTY_LIST:
      job->inner.list = *(struct annals_store_list *)job->outer;
      job->inner.list.on_entry = forward_entry;
      break;
    default:
      job->inner.append = *(struct annals_store_append *)job->outer;
      break;
  }
  job->inner.op = (struct annals_store_op){.on_done = inner_done, .owner = job};
}

static enum annals_store_progress start_inner(struct job *job) {
  struct annals_store *inner = job->faulty->inner;
  job->started = true;
  copy_request(job);
  switch (job->operation) {
    case ANNALS_FAULTY_READ:
      return inner->ops->read(inner, &job->inner.read);
    case ANNALS_FAULTY_TAIL:
      return inner->ops->tail(inner, &job->inner.tail);
    case ANNALS_FAULTY_GET:
      return inner->ops->get(inner, &job->inner.get);
    case ANNALS_FAULTY_DELETE:
      return inner->ops->delete_execution(inner, &job->inner.deletion);
    case ANNALS_FAULTY_GET_DATA_KEY:
      return inner->ops->get_data_key(inner, &job->inner.get_data_key);
    case ANNALS_FAULTY_PUT_DATA_KEY:
      return inner->ops->put_data_key(inner, &job->inner.put_data_key);
    case ANNALS_FAULTY_LIST:
      return inner->ops->list(inner, &job->inner.list);
    default:
      return inner->ops->append(inner, &job->inner.append);
  }
}

/* Does what there is to do next: starts the inner operation, if need be, or ends the job. */
static void step(struct job *job) {
  bool runs_inner = !has_fault(job) || job->fault.done || (is_scan(job) && job->fault.runs > 0);
  if (job->started || !runs_inner || start_inner(job) == ANNALS_STORE_DONE) {
    finish(job);
  }
}

/* Takes what the fault has for an operation; called with the lock. */
static struct annals_fault take_fault(struct faulty *faulty, unsigned operation) {
  struct annals_fault *fault = &faulty->fault;
  if ((fault->operations & operation) == 0 || fault->times == 0) {
    return (struct annals_fault){0};
  }
  if (fault->skip > 0) {
    fault->skip--;
    return (struct annals_fault){0};
  }
  if (fault->times > 0) {
    fault->times--;
  }
  faulty->hits++;
  return *fault;
}

static enum annals_store_progress call(struct annals_store *store, struct annals_store_op *op,
                                       unsigned operation) {
  struct faulty *faulty = (struct faulty *)store;
  annals_store_op_begin(op);
  pthread_mutex_lock(&faulty->lock);
  if (faulty->closing) {
    pthread_mutex_unlock(&faulty->lock);
    annals_store_op_set(op, ANNALS_STORE_UNAVAILABLE, "the store is closing");
    return ANNALS_STORE_DONE;
  }
  faulty->calls[g_bit_nth_lsf(operation, -1)]++;
  struct annals_fault fault = take_fault(faulty, operation);
  bool pending = faulty->pending || (faulty->kept & operation) != 0;
  faulty->inside += 2; /* the call and the job */
  pthread_mutex_unlock(&faulty->lock);

  struct job *job = g_new0(struct job, 1);
  job->faulty = faulty;
  job->operation = operation;
  job->outer = op;
  job->fault = fault;
  enum annals_store_progress progress;
  if (pending) {
    /* Returned before it begins: whoever is faster, the answer is PENDING. */
    progress = annals_store_op_return(op);
    push(job);
  } else {
    step(job);
    progress = annals_store_op_return(op);
  }
  leave(faulty);
  return progress;
}

/* ---- the vtable ---------------------------------------------------------------------------- */

static enum annals_store_progress faulty_read(struct annals_store *store,
                                              struct annals_store_read *read) {
  return call(store, &read->op, ANNALS_FAULTY_READ);
}

static enum annals_store_progress faulty_tail(struct annals_store *store,
                                              struct annals_store_tail *tail) {
  return call(store, &tail->op, ANNALS_FAULTY_TAIL);
}

static enum annals_store_progress faulty_get(struct annals_store *store,
                                             struct annals_store_get *get) {
  return call(store, &get->op, ANNALS_FAULTY_GET);
}

static enum annals_store_progress faulty_append(struct annals_store *store,
                                                struct annals_store_append *append) {
  return call(store, &append->op, ANNALS_FAULTY_APPEND);
}

static enum annals_store_progress faulty_delete(struct annals_store *store,
                                                struct annals_store_delete *deletion) {
  return call(store, &deletion->op, ANNALS_FAULTY_DELETE);
}

static enum annals_store_progress faulty_list(struct annals_store *store,
                                              struct annals_store_list *list) {
  return call(store, &list->op, ANNALS_FAULTY_LIST);
}

static enum annals_store_progress faulty_get_data_key(struct annals_store *store,
                                                      struct annals_store_get_data_key *get) {
  return call(store, &get->op, ANNALS_FAULTY_GET_DATA_KEY);
}

static enum annals_store_progress faulty_put_data_key(struct annals_store *store,
                                                      struct annals_store_put_data_key *put) {
  return call(store, &put->op, ANNALS_FAULTY_PUT_DATA_KEY);
}

static enum annals_store_health faulty_health(struct annals_store *store) {
  struct faulty *faulty = (struct faulty *)store;
  pthread_mutex_lock(&faulty->lock);
  bool set = faulty->health_set;
  enum annals_store_health health = faulty->health;
  pthread_mutex_unlock(&faulty->lock);
  return set ? health : faulty->inner->ops->health(faulty->inner);
}

static void faulty_close(struct annals_store *store) {
  struct faulty *faulty = (struct faulty *)store;
  pthread_mutex_lock(&faulty->lock);
  faulty->closing = true;
  faulty->held = false;
  faulty->kept = 0;
  pthread_cond_broadcast(&faulty->changed);
  while (faulty->inside > 0) {
    pthread_cond_wait(&faulty->changed, &faulty->lock);
  }
  faulty->stopping = true;
  pthread_cond_broadcast(&faulty->changed);
  pthread_mutex_unlock(&faulty->lock);
  pthread_join(faulty->thread, NULL);
  faulty->inner->ops->close(faulty->inner);
  pthread_cond_destroy(&faulty->changed);
  pthread_mutex_destroy(&faulty->lock);
  g_free(faulty);
}

static const struct annals_store_ops FAULTY_OPS = {
    .name = "faulty",
    .read = faulty_read,
    .tail = faulty_tail,
    .get = faulty_get,
    .append = faulty_append,
    .delete_execution = faulty_delete,
    .list = faulty_list,
    .health = faulty_health,
    .close = faulty_close,
    .get_data_key = faulty_get_data_key,
    .put_data_key = faulty_put_data_key,
};

/* ---- the thread and the controls ----------------------------------------------------------- */

/* Takes the first job that is not kept out of the queue; NULL: there is none. With the lock. */
static struct job *take(struct faulty *faulty) {
  struct job *before = NULL;
  struct job *job = faulty->first;
  while (job != NULL && !job->started && (faulty->kept & job->operation) != 0) {
    before = job;
    job = job->next;
  }
  if (job != NULL) {
    *(before != NULL ? &before->next : &faulty->first) = job->next;
    faulty->last = job == faulty->last ? before : faulty->last;
  }
  return job;
}

static struct job *pop(struct faulty *faulty) {
  struct job *job = NULL;
  pthread_mutex_lock(&faulty->lock);
  while ((faulty->held || (job = take(faulty)) == NULL) && !faulty->stopping) {
    pthread_cond_wait(&faulty->changed, &faulty->lock);
  }
  pthread_mutex_unlock(&faulty->lock);
  return job;
}

static void *run(void *data) {
  struct job *job;
  while ((job = pop(data)) != NULL) {
    step(job);
  }
  return NULL;
}

struct annals_store *annals_faulty_store_new(struct annals_store *inner) {
  struct faulty *faulty = g_new0(struct faulty, 1);
  faulty->store.ops = &FAULTY_OPS;
  faulty->inner = inner;
  pthread_mutex_init(&faulty->lock, NULL);
  pthread_cond_init(&faulty->changed, NULL);
  int errnum = pthread_create(&faulty->thread, NULL, run, faulty);
  g_assert(errnum == 0);
  return &faulty->store;
}

void annals_faulty_store_inject(struct annals_store *store, const struct annals_fault *fault) {
  struct faulty *faulty = (struct faulty *)store;
  g_assert(fault == NULL || fault->outcome != ANNALS_STORE_OK);
  pthread_mutex_lock(&faulty->lock);
  faulty->fault = fault != NULL ? *fault : (struct annals_fault){0};
  pthread_mutex_unlock(&faulty->lock);
}

int annals_faulty_store_hits(struct annals_store *store) {
  struct faulty *faulty = (struct faulty *)store;
  pthread_mutex_lock(&faulty->lock);
  int hits = faulty->hits;
  pthread_mutex_unlock(&faulty->lock);
  return hits;
}

int annals_faulty_store_calls(struct annals_store *store, unsigned operations) {
  struct faulty *faulty = (struct faulty *)store;
  int calls = 0;
  pthread_mutex_lock(&faulty->lock);
  for (int i = 0; i < OPERATION_COUNT; i++) {
    calls += (operations >> i & 1) != 0 ? faulty->calls[i] : 0;
  }
  pthread_mutex_unlock(&faulty->lock);
  return calls;
}

void annals_faulty_store_set_pending(struct annals_store *store, bool pending) {
  struct faulty *faulty = (struct faulty *)store;
  pthread_mutex_lock(&faulty->lock);
  faulty->pending = pending;
  pthread_mutex_unlock(&faulty->lock);
}

void annals_faulty_store_set_held(struct annals_store *store, bool held) {
  struct faulty *faulty = (struct faulty *)store;
  pthread_mutex_lock(&faulty->lock);
  faulty->held = held;
  pthread_cond_broadcast(&faulty->changed);
  pthread_mutex_unlock(&faulty->lock);
}

void annals_faulty_store_keep(struct annals_store *store, unsigned operations) {
  struct faulty *faulty = (struct faulty *)store;
  pthread_mutex_lock(&faulty->lock);
  faulty->kept = operations;
  pthread_cond_broadcast(&faulty->changed);
  pthread_mutex_unlock(&faulty->lock);
}

void annals_faulty_store_set_health(struct annals_store *store, enum annals_store_health health) {
  struct faulty *faulty = (struct faulty *)store;
  pthread_mutex_lock(&faulty->lock);
  faulty->health_set = true;
  faulty->health = health;
  pthread_mutex_unlock(&faulty->lock);
}
