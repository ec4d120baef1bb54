/*
 * The operators' HTTP listener: /livez, /readyz and /metrics.
 *
 * Floor 1. Answers GET and HEAD of the first two with 200 and `ok`, or with 503 and a sentence that
 * says why, as text of one line, of /metrics with what metrics.h has; other paths with 404, other
 * methods with 405. It carries no payloads and may listen on any address. Runs on one thread of its
 * own, so that it answers whatever the others do.
 */
#ifndef ANNALS_SERVER_OPS_OPS_SERVER_H_
#define ANNALS_SERVER_OPS_OPS_SERVER_H_

#include <glib.h>
#include <stdbool.h>

#include "server/ops/health.h"
#include "server/ops/metrics.h"

G_BEGIN_DECLS

struct annals_ops_server;

#define ANNALS_OPS_SERVER_ERROR (annals_ops_server_error_quark())
GQuark annals_ops_server_error_quark(void);

/*
 * Starts to answer on a listening socket (listen.h).
 *
 * metrics: what /metrics gives; also told whether the server is live and ready.
 * Memory: health and metrics must outlive the server. The socket is the server's from then on, and
 * closed by annals_ops_server_stop; on failure it stays the caller's. The caller frees ret_server.
 * Errors: ANNALS_OPS_SERVER_ERROR, when no thread can be had.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_ops_server_start(int listen_socket, const struct annals_health *health,
                             struct annals_metrics *metrics, struct annals_ops_server **ret_server,
                             GError **error);

/* Stops answering and closes all connections. Returns when quiet; idempotent. */
void annals_ops_server_stop(struct annals_ops_server *server);

/* Stops and frees. NULL is fine. */
void annals_ops_server_free(struct annals_ops_server *server);

G_END_DECLS

#endif
