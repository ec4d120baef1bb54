/*
 * HistoryService on gRPC's C core.
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
#include "server/ops/tls.h"

G_BEGIN_DECLS

enum {
  /*
   * Of a request message, also when decompressed. More than the domain takes, so that clients see
   * the domain's errors.
   */
  ANNALS_RPC_RECEIVE_BYTES_MAX = 8 * 1024 * 1024,
};

struct annals_rpc_options {
  const char *address;       /* HOST:PORT; port 0: any free one */
  unsigned thread_count;     /* completion queues; 0: one per processor, 16 at most */
  size_t held_bytes_max;     /* requests and replies under way, of all calls; beyond it calls are
                                OVERLOADED; 0: 512 MiB */
  size_t admitted_bytes_max; /* of appends at once; more stay with their clients; at least 4 MiB;
                                0: 96 MiB */
  struct annals_tls *tls;    /* not owned; must outlive the server; NULL: without TLS */
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

/*
 * Stops taking calls, lets those under way finish for up to grace_ms, cancels the rest and returns
 * when all is quiet. Idempotent; also for a server that was never started.
 */
void annals_rpc_server_stop(struct annals_rpc_server *server, int grace_ms);

/* Stops, if that has not been done, and frees. NULL is fine. */
void annals_rpc_server_free(struct annals_rpc_server *server);

G_END_DECLS

#endif
