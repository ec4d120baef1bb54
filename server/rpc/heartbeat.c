#include "server/rpc/heartbeat.h"

#include "server/rpc/call.h"

void annals_rpc_heartbeat_init(struct annals_rpc_heartbeat *heartbeat, int64_t interval_us) {
  pthread_mutex_init(&heartbeat->lock, NULL);
  heartbeat->interval_us = interval_us;
  g_queue_init(&heartbeat->silent);
}

void annals_rpc_heartbeat_clear(struct annals_rpc_heartbeat *heartbeat) {
  g_assert(g_queue_is_empty(&heartbeat->silent));
  pthread_mutex_destroy(&heartbeat->lock);
}

static void unlink_beat(struct annals_rpc_heartbeat *heartbeat, struct annals_rpc_beat *beat) {
  g_queue_unlink(&heartbeat->silent, &beat->link);
  beat->due_us = 0;
  g_atomic_int_add(&heartbeat->count, -1);
}

void annals_rpc_heartbeat_enter(struct annals_rpc_heartbeat *heartbeat,
                                struct annals_rpc_beat *beat) {
  pthread_mutex_lock(&heartbeat->lock);
  if (beat->due_us == 0) {
    beat->link.data = beat;
    beat->due_us = g_get_monotonic_time() + heartbeat->interval_us;
    g_queue_push_tail_link(&heartbeat->silent, &beat->link);
    g_atomic_int_add(&heartbeat->count, 1);
  }
  pthread_mutex_unlock(&heartbeat->lock);
}

void annals_rpc_heartbeat_leave(struct annals_rpc_heartbeat *heartbeat,
                                struct annals_rpc_beat *beat) {
  pthread_mutex_lock(&heartbeat->lock);
  if (beat->due_us != 0) {
    unlink_beat(heartbeat, beat);
  }
  g_atomic_int_set(&beat->due, 0);
  pthread_mutex_unlock(&heartbeat->lock);
}

bool annals_rpc_heartbeat_take(struct annals_rpc_beat *beat) {
  return g_atomic_int_compare_and_exchange(&beat->due, 1, 0);
}

static struct annals_rpc_beat *first(struct annals_rpc_heartbeat *heartbeat) {
  GList *link = heartbeat->silent.head;
  return link != NULL ? link->data : NULL;
}

int64_t annals_rpc_heartbeat_due_us(struct annals_rpc_heartbeat *heartbeat) {
  if (g_atomic_int_get(&heartbeat->count) == 0) {
    return INT64_MAX;
  }
  pthread_mutex_lock(&heartbeat->lock);
  const struct annals_rpc_beat *beat = first(heartbeat);
  int64_t due_us = beat != NULL ? beat->due_us : INT64_MAX;
  pthread_mutex_unlock(&heartbeat->lock);
  return due_us;
}

void annals_rpc_heartbeat_wake(struct annals_rpc_heartbeat *heartbeat) {
  int64_t now_us = g_get_monotonic_time();
  pthread_mutex_lock(&heartbeat->lock);
  struct annals_rpc_beat *beat;
  while ((beat = first(heartbeat)) != NULL && beat->due_us <= now_us) {
    unlink_beat(heartbeat, beat);
    g_atomic_int_set(&beat->due, 1);
    annals_rpc_call_wake(beat->call);
  }
  pthread_mutex_unlock(&heartbeat->lock);
}
