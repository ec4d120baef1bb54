/*
 * The core's server as options want it: limits, connections, credentials, port.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_CORE_H_
#define ANNALS_SERVER_RPC_CORE_H_

#include <grpc/grpc.h>

#include "server/rpc/rpc_server.h"
#include "server/rpc/tls_credentials.h"

G_BEGIN_DECLS

/* Makes the core's server, with all its limits. */
grpc_server *annals_rpc_core_new(const struct annals_rpc_options *options);

/*
 * Binds the address. Returns the port, 0: it cannot be had.
 * Memory: tls is the state of the port's credentials; it must outlive the core's server.
 */
int annals_rpc_core_bind(grpc_server *core, const struct annals_rpc_options *options,
                         struct annals_rpc_tls *tls);

G_END_DECLS

#endif
