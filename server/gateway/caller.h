/*
 * Who sent a request: from an HTTP connection to a principal.
 *
 * Floor 3, private to the gateway.
 */
#ifndef ANNALS_SERVER_GATEWAY_CALLER_H_
#define ANNALS_SERVER_GATEWAY_CALLER_H_

#include <glib.h>
#include <microhttpd.h>
#include <stdbool.h>

#include "server/gateway/sigv4.h"
#include "server/history/history.h"
#include "server/history/keyring.h"

G_BEGIN_DECLS

/* Zero it before use: nobody who was asked who they are. */
struct annals_caller {
  struct annals_credentials *credentials; /* kept, whatever is loaded meanwhile */
  const struct annals_principal *principal;
};

/* How callers are asked. Nothing is owned. */
struct annals_caller_policy {
  struct annals_keyring *keyring; /* NULL: they are not */
  const char *region;             /* that signatures must be made for; NULL: any */
  struct annals_history *history; /* whose clock counts */
};

/*
 * Finds out who signed a request; request->headers are filled in from the connection.
 *
 * Memory: the caller is to be cleared, also on failure.
 * Errors: as annals_sigv4_verify.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_caller_identify(const struct annals_caller_policy *policy,
                            struct MHD_Connection *connection, struct annals_sigv4_request *request,
                            struct annals_caller *ret_caller, GError **error);

void annals_caller_clear(struct annals_caller *caller);

G_END_DECLS

#endif
