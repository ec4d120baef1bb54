#include "storage/rocksdb/workers.h"

#include <pthread.h>

#include "storage/rocksdb/engine.h"

struct annals_workers {
  void (*run)(struct annals_job *job);
  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t changed;
  GQueue jobs; /* by their link */
  int idle;    /* threads that wait for one */
  bool stopping;
  int count;
  pthread_t threads[];
};

/* NULL: there will be no more. */
static struct annals_job *next_job(struct annals_workers *workers) {
  pthread_mutex_lock(&workers->lock);
  workers->idle++;
  while (workers->jobs.length == 0 && !workers->stopping) {
    pthread_cond_wait(&workers->changed, &workers->lock);
  }
  workers->idle--;
  GList *link = g_queue_pop_head_link(&workers->jobs);
  pthread_mutex_unlock(&workers->lock);
  return link != NULL ? link->data : NULL;
}

static void *work(void *data) {
  struct annals_workers *workers = data;
  for (struct annals_job *job; (job = next_job(workers)) != NULL;) {
    workers->run(job);
  }
  return NULL;
}

struct annals_workers *annals_workers_start(int count, void (*run)(struct annals_job *job),
                                            GError **error) {
  struct annals_workers *workers =
      g_malloc0(sizeof *workers + (size_t)count * sizeof workers->threads[0]);
  workers->run = run;
  pthread_mutex_init(&workers->lock, NULL);
  pthread_cond_init(&workers->changed, NULL);
  g_queue_init(&workers->jobs);
  for (; workers->count < count; workers->count++) {
    pthread_t *thread = &workers->threads[workers->count];
    int errnum = pthread_create(thread, NULL, work, workers);
    if (errnum != 0) {
      g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FAILED,
                  "cannot start a thread that reads the disk: %s", g_strerror(errnum));
      annals_workers_stop(workers);
      annals_workers_free(workers);
      return NULL;
    }
    pthread_setname_np(*thread, "annals-worker");
  }
  return workers;
}

void annals_workers_stop(struct annals_workers *workers) {
  if (workers == NULL) {
    return;
  }
  pthread_mutex_lock(&workers->lock);
  workers->stopping = true;
  pthread_cond_broadcast(&workers->changed);
  pthread_mutex_unlock(&workers->lock);
  for (int i = 0; i < workers->count; i++) {
    pthread_join(workers->threads[i], NULL);
  }
  workers->count = 0;
}

void annals_workers_free(struct annals_workers *workers) {
  if (workers == NULL) {
    return;
  }
  g_assert(workers->count == 0 && workers->jobs.length == 0);
  pthread_cond_destroy(&workers->changed);
  pthread_mutex_destroy(&workers->lock);
  g_free(workers);
}

void annals_workers_push(struct annals_workers *workers, struct annals_job *job) {
  job->link.data = job;
  pthread_mutex_lock(&workers->lock);
  g_queue_push_tail_link(&workers->jobs, &job->link);
  bool idle = workers->idle > 0;
  pthread_mutex_unlock(&workers->lock);
  if (idle) {
    pthread_cond_signal(&workers->changed);
  }
}

guint annals_workers_waiting(struct annals_workers *workers) {
  pthread_mutex_lock(&workers->lock);
  guint waiting = workers->jobs.length;
  pthread_mutex_unlock(&workers->lock);
  return waiting;
}
