/*
 * The certificate that gRPC's port shows, and the clients' certificates that it asks for.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_TLS_CREDENTIALS_H_
#define ANNALS_SERVER_RPC_TLS_CREDENTIALS_H_

#include <grpc/grpc_security.h>

#include "server/ops/tls.h"

G_BEGIN_DECLS

/* Which identity the core has. Zero it before use; it must outlive the core's server. */
struct annals_rpc_tls {
  struct annals_tls *tls;
  unsigned serial; /* the core asks under a lock of its own */
};

/*
 * Makes credentials for a port. Each handshake asks for what counts then. Clients must show a
 * certificate of the client CA, where there is one.
 *
 * Memory: tls is not owned and must outlive the server; the caller releases the result.
 */
grpc_server_credentials *annals_rpc_tls_credentials_new(struct annals_rpc_tls *state,
                                                        struct annals_tls *tls);

G_END_DECLS

#endif
