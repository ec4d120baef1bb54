#include "server/ops/sampler.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

struct annals_sampler {
  void (*sample)(void *context);
  void *context;
  pthread_t thread;

  pthread_mutex_t lock; /* of all below */
  pthread_cond_t changed;
  bool wanted; /* somebody has asked since sample was called */
  bool running;
  bool stopping;
  int64_t called_us; /* when it was called that runs */
  int64_t taken_us;  /* when the last one was called that has returned; 0: none */
  uint64_t called_count;
  uint64_t taken_count;
};

static void run_once(struct annals_sampler *sampler) {
  sampler->wanted = false;
  sampler->running = true;
  sampler->called_us = g_get_monotonic_time();
  sampler->called_count++;
  pthread_mutex_unlock(&sampler->lock);
  sampler->sample(sampler->context);
  pthread_mutex_lock(&sampler->lock);
  sampler->running = false;
  sampler->taken_us = sampler->called_us;
  sampler->taken_count++;
  pthread_cond_broadcast(&sampler->changed);
}

static void *run(void *data) {
  struct annals_sampler *sampler = data;
  pthread_mutex_lock(&sampler->lock);
  while (!sampler->stopping) {
    if (sampler->wanted) {
      run_once(sampler);
    } else {
      pthread_cond_wait(&sampler->changed, &sampler->lock);
    }
  }
  pthread_mutex_unlock(&sampler->lock);
  return NULL;
}

static void sampler_free(struct annals_sampler *sampler) {
  pthread_cond_destroy(&sampler->changed);
  pthread_mutex_destroy(&sampler->lock);
  g_free(sampler);
}

struct annals_sampler *annals_sampler_new(void (*sample)(void *context), void *context,
                                          GError **error) {
  struct annals_sampler *sampler = g_new0(struct annals_sampler, 1);
  sampler->sample = sample;
  sampler->context = context;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&sampler->lock, NULL);
  pthread_cond_init(&sampler->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  int errnum = pthread_create(&sampler->thread, NULL, run, sampler);
  if (errnum != 0) {
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errnum),
                "cannot start the thread of metrics: %s", g_strerror(errnum));
    sampler_free(sampler);
    return NULL;
  }
  pthread_setname_np(sampler->thread, "annals-metrics");
  return sampler;
}

void annals_sampler_free(struct annals_sampler *sampler) {
  if (sampler == NULL) {
    return;
  }
  pthread_mutex_lock(&sampler->lock);
  sampler->stopping = true;
  pthread_cond_broadcast(&sampler->changed);
  pthread_mutex_unlock(&sampler->lock);
  pthread_join(sampler->thread, NULL);
  sampler_free(sampler);
}

static struct timespec timespec_of(int64_t us) {
  return (struct timespec){.tv_sec = us / G_USEC_PER_SEC, .tv_nsec = us % G_USEC_PER_SEC * 1000};
}

/* One that runs already may have looked before what the caller wants to see: it takes the next. But
 * it does not wait for one that hangs. */
int64_t annals_sampler_run(struct annals_sampler *sampler, int timeout_ms) {
  pthread_mutex_lock(&sampler->lock);
  int64_t from_us = sampler->running ? sampler->called_us : g_get_monotonic_time();
  const struct timespec until = timespec_of(from_us + (int64_t)timeout_ms * 1000);
  uint64_t wanted_count = sampler->called_count + 1;
  sampler->wanted = true;
  pthread_cond_broadcast(&sampler->changed);
  while (sampler->taken_count < wanted_count &&
         pthread_cond_timedwait(&sampler->changed, &sampler->lock, &until) != ETIMEDOUT) {
  }
  int64_t age_us = sampler->taken_us == 0 ? -1 : g_get_monotonic_time() - sampler->taken_us;
  pthread_mutex_unlock(&sampler->lock);
  return age_us;
}
