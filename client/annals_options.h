/*
 * How the C client reaches its server, and how it proves who it is. annals.h includes this.
 */
#ifndef ANNALS_CLIENT_ANNALS_OPTIONS_H_
#define ANNALS_CLIENT_ANNALS_OPTIONS_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ANNALS_CLIENT_ENDPOINT_DEFAULT "127.0.0.1:50051"

/* How to reach a server. All zero is a good start. */
struct annals_client_options {
  const char *endpoint;   /* HOST:PORT, [IPV6]:PORT; NULL: ANNALS_CLIENT_ENDPOINT_DEFAULT */
  int64_t timeout_ms;     /* of each call, with all its attempts; 0: 60,000 */
  int attempts_max;       /* of a call that is safe to repeat; 1: no retries; 0: 5 */
  const char *user_agent; /* named before gRPC's own; NULL: "annals-c" */

  bool tls;                /* implied by the next four. Files are PEM, and read at open */
  const char *ca_file;     /* CAs of the server's certificate; NULL: the system's */
  const char *cert_file;   /* the client's certificate; NULL: none */
  const char *key_file;    /* its key, without passphrase */
  const char *server_name; /* that the server's certificate must have; NULL: the endpoint's */

  const char *token;      /* sent with each call as its bearer token; NULL: none */
  const char *token_file; /* in place of token: read anew for each call, so that it may change */
  bool plaintext_token;   /* send the token without TLS to other machines, too: where something
                             on the way, such as a service mesh, does the TLS */
};

G_END_DECLS

#endif
