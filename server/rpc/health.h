/*
 * grpc.health.v1.Health: what /readyz says, for the server and for each of its services.
 *
 * Floor 3, private to server/rpc. Watching streams are kept in a list and woken when the health
 * changes; in between they cost nothing but memory.
 */
#ifndef ANNALS_SERVER_RPC_HEALTH_H_
#define ANNALS_SERVER_RPC_HEALTH_H_

#include <glib.h>
#include <pthread.h>

#include "server/ops/health.h"

G_BEGIN_DECLS

/* The health that a server tells, and who watches it. */
struct annals_rpc_health {
  struct annals_health *health; /* NULL: always well */
  struct annals_health_listener listener;
  pthread_mutex_t lock; /* of what follows; a leaf */
  GQueue watchers;      /* links, whose data is struct annals_rpc_call */
};

/* Follows health, which must outlive this; NULL: none. */
void annals_rpc_health_init(struct annals_rpc_health *health, struct annals_health *followed);
void annals_rpc_health_clear(struct annals_rpc_health *health);

G_END_DECLS

#endif
