#include "server/otlp/queue.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

struct annals_span_queue {
  guint spans_max;
  pthread_mutex_t lock; /* of all below; a leaf */
  pthread_cond_t changed;
  GQueue spans;
  guint wanted;     /* so many wake the thread that takes */
  int64_t since_us; /* when the first came that waits; of the monotonic clock */
  bool closed;
};

struct annals_span_queue *annals_span_queue_new(guint spans_max) {
  struct annals_span_queue *queue = g_new0(struct annals_span_queue, 1);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&queue->lock, NULL);
  pthread_cond_init(&queue->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  queue->spans_max = spans_max;
  g_queue_init(&queue->spans);
  return queue;
}

static void free_span(gpointer span) {
  annals_span_free(span);
}

void annals_span_queue_free(struct annals_span_queue *queue) {
  if (queue == NULL) {
    return;
  }
  g_queue_clear_full(&queue->spans, free_span);
  pthread_cond_destroy(&queue->changed);
  pthread_mutex_destroy(&queue->lock);
  g_free(queue);
}

bool annals_span_queue_push(struct annals_span_queue *queue, struct annals_span *span) {
  pthread_mutex_lock(&queue->lock);
  bool ok = !queue->closed && queue->spans.length < queue->spans_max;
  if (ok) {
    g_queue_push_tail(&queue->spans, span);
    /* The first begins the time that the thread lingers. */
    if (queue->spans.length == 1) {
      queue->since_us = g_get_monotonic_time();
    }
    if (queue->spans.length == 1 || queue->spans.length == queue->wanted) {
      pthread_cond_signal(&queue->changed);
    }
  }
  pthread_mutex_unlock(&queue->lock);
  if (!ok) {
    annals_span_free(span);
  }
  return ok;
}

/* Returns false when it was too late by then. */
static bool wait_until(struct annals_span_queue *queue, int64_t until_us) {
  const struct timespec until = {
      .tv_sec = until_us / G_USEC_PER_SEC,
      .tv_nsec = until_us % G_USEC_PER_SEC * 1000,
  };
  return pthread_cond_timedwait(&queue->changed, &queue->lock, &until) != ETIMEDOUT;
}

static GPtrArray *take_locked(struct annals_span_queue *queue, guint batch_max) {
  guint count = MIN(queue->spans.length, batch_max);
  if (count == 0) {
    return NULL;
  }
  GPtrArray *batch = g_ptr_array_new_full(count, free_span);
  for (guint i = 0; i < count; i++) {
    g_ptr_array_add(batch, g_queue_pop_head(&queue->spans));
  }
  queue->since_us = g_get_monotonic_time(); /* what is left has just missed a batch */
  return batch;
}

GPtrArray *annals_span_queue_take(struct annals_span_queue *queue, guint batch_max,
                                  int64_t linger_us) {
  pthread_mutex_lock(&queue->lock);
  queue->wanted = batch_max;
  while (!queue->closed && queue->spans.length < batch_max) {
    if (queue->spans.length == 0) {
      pthread_cond_wait(&queue->changed, &queue->lock);
    } else if (!wait_until(queue, queue->since_us + linger_us)) {
      break;
    }
  }
  GPtrArray *batch = take_locked(queue, batch_max);
  pthread_mutex_unlock(&queue->lock);
  return batch;
}

bool annals_span_queue_wait(struct annals_span_queue *queue, int64_t wait_us) {
  int64_t until_us = g_get_monotonic_time() + wait_us;
  pthread_mutex_lock(&queue->lock);
  while (!queue->closed && wait_until(queue, until_us)) {
  }
  bool closed = queue->closed;
  pthread_mutex_unlock(&queue->lock);
  return closed;
}

void annals_span_queue_close(struct annals_span_queue *queue) {
  pthread_mutex_lock(&queue->lock);
  queue->closed = true;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->lock);
}

guint annals_span_queue_length(struct annals_span_queue *queue) {
  pthread_mutex_lock(&queue->lock);
  guint length = queue->spans.length;
  pthread_mutex_unlock(&queue->lock);
  return length;
}
