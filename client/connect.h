/*
 * The options that say how the command line reaches its server, and who calls.
 *
 * Floor 2, on annals.h. Each has an environment variable, which counts where the option is not
 * given. A token itself comes from the environment or a file alone: others can read arguments.
 */
#ifndef ANNALS_CLIENT_CONNECT_H_
#define ANNALS_CLIENT_CONNECT_H_

#include <glib.h>

#include "client/annals.h"

G_BEGIN_DECLS

/* What was given. Zero it before use. */
struct annals_connect {
  char *endpoint;
  char *ca_file;
  char *cert_file;
  char *key_file;
  char *server_name;
  char *token_file;
  gboolean tls;
  gboolean plaintext_token;
  int64_t timeout_ms; /* of each call, from the command; 0: the client's default */
};

/* Adds the options to a context, which fills connect in. */
void annals_connect_add_options(struct annals_connect *connect, GOptionContext *context);

/* Takes from before what is not given in connect. before is empty afterwards. */
void annals_connect_merge(struct annals_connect *connect, struct annals_connect *before);

void annals_connect_clear(struct annals_connect *connect);

/*
 * Opens a client. Errors: as annals_client_open.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client *annals_connect_open(const struct annals_connect *connect, GError **error);

G_END_DECLS

#endif
