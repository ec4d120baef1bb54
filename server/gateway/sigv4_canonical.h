/*
 * The canonical request: the form that both ends hash, however the request was written.
 *
 * Floor 3, private to the gateway. Paths are normalised and then encoded once more than they came,
 * as for every service but S3.
 */
#ifndef ANNALS_SERVER_GATEWAY_SIGV4_CANONICAL_H_
#define ANNALS_SERVER_GATEWAY_SIGV4_CANONICAL_H_

#include "server/gateway/sigv4.h"

G_BEGIN_DECLS

/* Gives the query of a request's target: what follows the question mark, "" where none does. */
const char *annals_sigv4_query(const char *target);

/*
 * Makes the canonical request. signed_headers are in order, each once. Memory: g_free() it.
 * Errors: ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE when a header is signed that is not there.
 */
G_GNUC_WARN_UNUSED_RESULT
char *annals_sigv4_canonical_request(const struct annals_sigv4_request *request,
                                     char *const *signed_headers, const char *payload_hash,
                                     GError **error);

G_END_DECLS

#endif
