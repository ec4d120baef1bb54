/*
 * How a client reaches its server: endpoint, TLS, and what proves who it is. Private to the
 * library.
 *
 * With core_call.h and the .c files of these, all that knows gRPC.
 */
#ifndef ANNALS_CLIENT_CHANNEL_H_
#define ANNALS_CLIENT_CHANNEL_H_

#include <grpc/grpc.h>

#include "client/annals.h"

G_BEGIN_DECLS

/*
 * Makes a channel. Memory: the caller destroys it; grpc_init() must have been called.
 * Errors: INVALID_ARGUMENT, saying which option or file is wrong.
 */
G_GNUC_WARN_UNUSED_RESULT
grpc_channel *annals_client_channel_new(const struct annals_client_options *options,
                                        GError **error);

/*
 * Gives the value of the authorization header, or NULL with *error unset where there is no token.
 *
 * Exactly one of the two may be given: a token, or the file to read it from now.
 * Memory: the caller frees it with annals_client_authorization_free().
 * Errors: INVALID_ARGUMENT, when it cannot be read or is no token; never with the token.
 */
char *annals_client_authorization(const char *token, const char *token_file, GError **error);

/* Wipes and frees. NULL is fine. */
void annals_client_authorization_free(char *value);

G_END_DECLS

#endif
