/*
 * HistoryService, AdminService, health and reflection on gRPC's C core.
 *
 * Floor 3. Each completion queue has one thread, which does the socket work, runs the handlers and
 * sends the replies of its calls. Handlers do not block: what the store cannot answer at once goes
 * on in the store's threads, which wake the call's queue when they are done.
 */
#ifndef ANNALS_SERVER_RPC_RPC_SERVER_H_
#define ANNALS_SERVER_RPC_RPC_SERVER_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/history/history.h"
#include "server/history/keyring.h"
#include "server/ops/call_log.h"
#include "server/ops/health.h"
#include "server/ops/metrics.h"
#include "server/ops/tls.h"

G_BEGIN_DECLS

enum {
  /*
   * Of a request message, also when decompressed. More than the domain takes, so that clients see
   * the domain's errors.
   */
  ANNALS_RPC_RECEIVE_BYTES_MAX = 8 * 1024 * 1024,
  /* Of a call's metadata; beyond it the core answers RESOURCE_EXHAUSTED and closes. */
  ANNALS_RPC_METADATA_BYTES_MAX = 16 * 1024,
};

/* How a server is set up. Nothing is owned. 0 in a limit is its default, 0 in a time is never. */
struct annals_rpc_options {
  const char *address;          /* HOST:PORT; port 0: any free one */
  struct annals_health *health; /* what health tells; must outlive the server; NULL: always well */
  struct annals_tls *tls;       /* must outlive the server; NULL: without TLS */
  struct annals_keyring *keyring;   /* must outlive the server; NULL: anybody may do everything */
  struct annals_call_log *call_log; /* must outlive the server; NULL: failures are logged */
  struct annals_metrics *metrics;   /* must outlive the server; NULL: nothing is measured */
  unsigned thread_count;            /* completion queues; 0: one per processor, 16 at most */

  /* Beyond these limits calls are OVERLOADED, but for admitted_bytes_max: appends wait. */
  size_t held_bytes_max;           /* requests and answers under way, of all calls; 512 MiB */
  size_t admitted_bytes_max;       /* of appends at once, at least 4 MiB; 96 MiB */
  size_t core_bytes_max;           /* of the core's own: what has come and is not yet handed over,
                                      connections, calls; beyond it streams are cut off; 512 MiB */
  unsigned calls_max;              /* under way at once; 4,096 */
  unsigned streams_max;            /* open at once, and as many of health and reflection; 20,000 */
  unsigned connection_streams_max; /* calls and streams of one connection: the core has more wait;
                                      1,000 */

  int receive_ms;              /* an append may take to come while others wait for room; 10 s */
  int heartbeat_ms;            /* of watches that nothing happens to; 30 s */
  int keepalive_ms;            /* pings a connection that is silent for so long */
  int keepalive_timeout_ms;    /* and closes it without an answer; 20 s */
  int client_ping_interval_ms; /* clients that ping more often lose their connection */
  int connection_idle_ms;      /* closes connections without calls */
  int connection_age_ms;       /* closes connections of that age, give or take a tenth */
  int connection_age_grace_ms; /* and cuts off calls that take longer than that */
};

struct annals_rpc_server;

/*
 * Binds the address, without taking calls yet. Nothing may fork afterwards.
 * Errors: G_FILE_ERROR, one line naming the address.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_rpc_server *annals_rpc_server_bind(const struct annals_rpc_options *options,
                                                 GError **error);

/* Gives the port that was bound. */
int annals_rpc_server_port(const struct annals_rpc_server *server);

/* Starts taking calls. history must outlive the server. */
void annals_rpc_server_start(struct annals_rpc_server *server, struct annals_history *history);

/* Has new calls told to go elsewhere, and streams end, from now on: to be followed by a stop. */
void annals_rpc_server_drain(struct annals_rpc_server *server);

/*
 * Stops taking calls, ends streams, lets calls under way finish for up to grace_ms, cancels the
 * rest and returns when all is quiet. Idempotent; also for a server that was never started.
 */
void annals_rpc_server_stop(struct annals_rpc_server *server, int grace_ms);

/* Stops, if that has not been done, and frees. NULL is fine. */
void annals_rpc_server_free(struct annals_rpc_server *server);

G_END_DECLS

#endif
