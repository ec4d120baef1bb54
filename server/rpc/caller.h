/*
 * Who makes a call: from its metadata and its connection to a principal.
 *
 * Floor 3, private to server/rpc. A bearer token in the metadata decides, right or wrong; without
 * one, the names in the certificate that the client has shown on its connection do. Of these the
 * URIs and DNS names count, and the common name where there are none; all that the credentials
 * know must be one principal's.
 * Source: RFC 6750, section 2.1, for the header; RFC 6125, section 6.4.4, for the common name.
 */
#ifndef ANNALS_SERVER_RPC_CALLER_H_
#define ANNALS_SERVER_RPC_CALLER_H_

#include <glib.h>
#include <grpc/grpc.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/history/keyring.h"

G_BEGIN_DECLS

/* Zero it before use: nobody who was asked who they are. */
struct annals_rpc_caller {
  struct annals_credentials *credentials; /* kept, whatever is loaded meanwhile */
  const struct annals_principal *principal;
  int64_t expires_s; /* what they have shown; INT64_MAX: never */
};

/*
 * Finds out who makes a call. now_s: since 1970.
 *
 * Memory: the caller is to be cleared, also on failure.
 * Errors: UNAUTHENTICATED, with what was looked at as `credential`: none, token or certificate.
 * Cost: a SHA-256 of the token; or a few allocations for the certificate's names.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_caller_identify(struct annals_keyring *keyring, int64_t now_s, grpc_call *call,
                                const grpc_metadata_array *metadata,
                                struct annals_rpc_caller *ret_caller, GError **error);

/*
 * Tells whether nothing has changed: the credentials are those that count, and what the caller has
 * shown has not expired. now_s: since 1970. Cost: an atomic load.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_caller_is_current(const struct annals_rpc_caller *caller,
                                  struct annals_keyring *keyring, int64_t now_s);

void annals_rpc_caller_clear(struct annals_rpc_caller *caller);

G_END_DECLS

#endif
