/*
 * Streams that have been silent, and are to say that they are alive.
 *
 * Floor 3, private to server/rpc. All wait equally long, so they are due in the order in which they
 * came. The threads of the queues look who is due: each that adds a stream looks, before it sleeps,
 * when the first one is.
 *
 * Threads: any, for all functions. One lock, a leaf but for waking calls.
 */
#ifndef ANNALS_SERVER_RPC_HEARTBEAT_H_
#define ANNALS_SERVER_RPC_HEARTBEAT_H_

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_rpc_call;

struct annals_rpc_heartbeat {
  pthread_mutex_t lock; /* of what follows */
  int64_t interval_us;
  GQueue silent; /* links of struct annals_rpc_beat, the one that is due first first */
  gint count;    /* atomic, to be read without the lock */
};

/* A stream's place. Zero it before use, and set the call. */
struct annals_rpc_beat {
  struct annals_rpc_call *call;

  /* Private from here on. */
  GList link;
  int64_t due_us; /* of g_get_monotonic_time(); 0: not waiting */
  gint due;       /* atomic */
};

void annals_rpc_heartbeat_init(struct annals_rpc_heartbeat *heartbeat, int64_t interval_us);
void annals_rpc_heartbeat_clear(struct annals_rpc_heartbeat *heartbeat);

/* The stream is silent from now on, unless it was before. */
void annals_rpc_heartbeat_enter(struct annals_rpc_heartbeat *heartbeat,
                                struct annals_rpc_beat *beat);

/* It is not any more; the call is not woken for it when this returns. */
void annals_rpc_heartbeat_leave(struct annals_rpc_heartbeat *heartbeat,
                                struct annals_rpc_beat *beat);

/* Tells, once, whether the stream has been silent long enough. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_heartbeat_take(struct annals_rpc_beat *beat);

/* Tells when the first stream is due, as g_get_monotonic_time(); INT64_MAX: there is none. */
int64_t annals_rpc_heartbeat_due_us(struct annals_rpc_heartbeat *heartbeat);

/* Wakes the streams that are due. */
void annals_rpc_heartbeat_wake(struct annals_rpc_heartbeat *heartbeat);

G_END_DECLS

#endif
