#include "server/gateway/in_flight.h"

#include <errno.h>
#include <time.h>

/* A body comes right behind its head, or may never come. */
enum { RECEIVE_MS = 1000 };

void annals_in_flight_init(struct annals_in_flight *in_flight, size_t reply_bytes_max) {
  *in_flight = (struct annals_in_flight){.reply_bytes_max = reply_bytes_max};
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&in_flight->lock, NULL);
  pthread_cond_init(&in_flight->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

void annals_in_flight_clear(struct annals_in_flight *in_flight) {
  pthread_cond_destroy(&in_flight->changed);
  pthread_mutex_destroy(&in_flight->lock);
}

void annals_in_flight_begin_call(struct annals_in_flight *in_flight) {
  pthread_mutex_lock(&in_flight->lock);
  in_flight->receiving_count++;
  pthread_mutex_unlock(&in_flight->lock);
}

void annals_in_flight_call_received(struct annals_in_flight *in_flight) {
  pthread_mutex_lock(&in_flight->lock);
  in_flight->receiving_count--;
  in_flight->call_count++;
  if (in_flight->draining) {
    pthread_cond_broadcast(&in_flight->changed);
  }
  pthread_mutex_unlock(&in_flight->lock);
}

void annals_in_flight_end_call(struct annals_in_flight *in_flight, size_t reply_bytes) {
  pthread_mutex_lock(&in_flight->lock);
  in_flight->call_count--;
  in_flight->reply_bytes -= reply_bytes;
  if (in_flight->draining) {
    pthread_cond_broadcast(&in_flight->changed);
  }
  pthread_mutex_unlock(&in_flight->lock);
}

enum annals_admission annals_in_flight_begin_operation(struct annals_in_flight *in_flight) {
  enum annals_admission admission = ANNALS_ADMITTED;
  pthread_mutex_lock(&in_flight->lock);
  if (in_flight->closed) {
    admission = ANNALS_ADMISSION_CLOSED;
  } else if (in_flight->reply_bytes >= in_flight->reply_bytes_max) {
    admission = ANNALS_ADMISSION_FULL;
  } else {
    in_flight->operation_count++;
  }
  pthread_mutex_unlock(&in_flight->lock);
  return admission;
}

bool annals_in_flight_enter(struct annals_in_flight *in_flight) {
  pthread_mutex_lock(&in_flight->lock);
  bool open = !in_flight->closed;
  in_flight->operation_count += open ? 1 : 0;
  pthread_mutex_unlock(&in_flight->lock);
  return open;
}

void annals_in_flight_end_operation(struct annals_in_flight *in_flight) {
  pthread_mutex_lock(&in_flight->lock);
  in_flight->operation_count--;
  if (in_flight->draining) {
    pthread_cond_broadcast(&in_flight->changed);
  }
  pthread_mutex_unlock(&in_flight->lock);
}

bool annals_in_flight_hold(struct annals_in_flight *in_flight, size_t held_bytes,
                           size_t more_bytes) {
  pthread_mutex_lock(&in_flight->lock);
  bool room = in_flight->reply_bytes - held_bytes < in_flight->reply_bytes_max;
  if (room) {
    in_flight->reply_bytes += more_bytes;
  }
  pthread_mutex_unlock(&in_flight->lock);
  return room;
}

bool annals_in_flight_add_reply(struct annals_in_flight *in_flight, size_t reply_bytes) {
  pthread_mutex_lock(&in_flight->lock);
  in_flight->reply_bytes += reply_bytes;
  bool draining = in_flight->draining;
  pthread_mutex_unlock(&in_flight->lock);
  return draining;
}

size_t annals_in_flight_reply_bytes(struct annals_in_flight *in_flight) {
  pthread_mutex_lock(&in_flight->lock);
  size_t bytes = in_flight->reply_bytes;
  pthread_mutex_unlock(&in_flight->lock);
  return bytes;
}

void annals_in_flight_drain(struct annals_in_flight *in_flight) {
  pthread_mutex_lock(&in_flight->lock);
  in_flight->draining = true;
  pthread_mutex_unlock(&in_flight->lock);
}

static struct timespec deadline_after(unsigned timeout_ms) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_sec += timeout_ms / 1000;
  at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (at.tv_nsec >= 1000000000) {
    at.tv_sec++;
    at.tv_nsec -= 1000000000;
  }
  return at;
}

/* Waits with the lock held, until count is 0 or the time is up. */
static void wait_for(struct annals_in_flight *in_flight, const int64_t *count,
                     const struct timespec *deadline) {
  while (*count > 0 &&
         pthread_cond_timedwait(&in_flight->changed, &in_flight->lock, deadline) != ETIMEDOUT) {
  }
}

bool annals_in_flight_wait(struct annals_in_flight *in_flight, unsigned timeout_ms) {
  const struct timespec received = deadline_after(MIN(timeout_ms, RECEIVE_MS));
  const struct timespec answered = deadline_after(timeout_ms);
  pthread_mutex_lock(&in_flight->lock);
  wait_for(in_flight, &in_flight->receiving_count, &received);
  wait_for(in_flight, &in_flight->call_count, &answered);
  bool done = in_flight->operation_count == 0;
  pthread_mutex_unlock(&in_flight->lock);
  return done;
}

void annals_in_flight_close(struct annals_in_flight *in_flight) {
  pthread_mutex_lock(&in_flight->lock);
  while (in_flight->operation_count > 0) {
    pthread_cond_wait(&in_flight->changed, &in_flight->lock);
  }
  in_flight->closed = true;
  pthread_mutex_unlock(&in_flight->lock);
}
