/*
 * annalsd put together: store, domain, transports, in the order of their life.
 *
 * Floor 4, the composition root.
 */
#ifndef ANNALS_SERVER_SERVER_H_
#define ANNALS_SERVER_SERVER_H_

#include <glib.h>
#include <stdbool.h>

#include "server/options.h"

G_BEGIN_DECLS

struct annals_server;

/*
 * Starts everything; on return calls are being served.
 *
 * All ports are taken before the store is touched, so that a second server on the same ports leaves
 * the data alone.
 * Errors: one line that says what cannot be had, of the domain of whatever failed.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_server_start(const struct annals_options *options, struct annals_server **ret_server,
                         GError **error);

/* Gives `grpc=HOST:PORT gateway=HOST:PORT ops=HOST:PORT`. Memory: g_free() it. */
G_GNUC_WARN_UNUSED_RESULT
char *annals_server_addresses(const struct annals_server *server);

/* Tells whether the server can go on without a restart, as /livez does; if not, ret_why gets a
 * static sentence. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_server_is_live(const struct annals_server *server, const char **ret_why);

/*
 * Reads certificates and credentials again that have changed on disk, or all of them if all. What
 * cannot be read is logged, and stays as it was; calls under way go on with what they began with.
 * From the thread that started the server.
 */
void annals_server_reload(struct annals_server *server, bool all);

/* Stops taking calls, lets those under way finish, closes the store and frees. NULL is fine. */
void annals_server_free(struct annals_server *server);

G_END_DECLS

#endif
