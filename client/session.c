#include "client/session.h"

#include <time.h>

#include "client/core_call.h"
#include "client/retry.h"

void annals_client_session_init(struct annals_client_session *session,
                                struct annals_client *client) {
  *session = (struct annals_client_session){
      .client = client,
      .attempts_max = client->attempts_max,
      .timeout_us = client->timeout_ms * 1000,
  };
  pthread_mutex_init(&session->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&session->changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

void annals_client_session_clear(struct annals_client_session *session) {
  annals_client_session_set_stream(session, NULL);
  pthread_cond_destroy(&session->changed);
  pthread_mutex_destroy(&session->lock);
}

void annals_client_session_set_stream(struct annals_client_session *session,
                                      struct annals_client_stream *stream) {
  pthread_mutex_lock(&session->lock);
  struct annals_client_stream *before = session->stream;
  session->stream = stream;
  pthread_mutex_unlock(&session->lock);
  annals_client_stream_free(before);
}

void annals_client_session_cancel(struct annals_client_session *session) {
  pthread_mutex_lock(&session->lock);
  session->cancelled = true;
  if (session->stream != NULL) {
    annals_client_stream_cancel(session->stream);
  }
  pthread_cond_broadcast(&session->changed);
  pthread_mutex_unlock(&session->lock);
}

bool annals_client_session_is_cancelled(struct annals_client_session *session) {
  pthread_mutex_lock(&session->lock);
  bool cancelled = session->cancelled;
  pthread_mutex_unlock(&session->lock);
  return cancelled;
}

void annals_client_session_wait(struct annals_client_session *session, int64_t until_us) {
  const struct timespec until = {.tv_sec = until_us / G_USEC_PER_SEC,
                                 .tv_nsec = until_us % G_USEC_PER_SEC * 1000};
  pthread_mutex_lock(&session->lock);
  while (!session->cancelled &&
         pthread_cond_timedwait(&session->changed, &session->lock, &until) == 0) {
  }
  pthread_mutex_unlock(&session->lock);
}

void annals_client_session_prove(struct annals_client_session *session) {
  session->reached = true;
  session->since_us = g_get_monotonic_time();
  session->failures = 0;
}

/* Tells whether it is worth to come back after so much failure. */
static bool has_hope(const struct annals_client_session *session, int64_t retry_us) {
  return session->reached ? retry_us - session->since_us < session->timeout_us
                          : session->failures < session->attempts_max;
}

bool annals_client_session_lose(struct annals_client_session *session, GError *why,
                                GError **error) {
  int64_t now_us = g_get_monotonic_time();
  int64_t delay_ms;
  annals_client_session_set_stream(session, NULL);
  if (annals_client_session_is_cancelled(session)) {
    g_error_free(why);
    return true;
  }
  session->failures++;
  if (annals_client_retry_delay(why, session->failures, &delay_ms) &&
      has_hope(session, now_us + delay_ms * 1000)) {
    session->retry_us = now_us + delay_ms * 1000;
    g_error_free(why);
    return true;
  }
  session->reached = false;
  session->failures = 0;
  session->retry_us = 0;
  g_propagate_error(error, why);
  return false;
}
