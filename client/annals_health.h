/*
 * Asking a server whether it takes calls, as grpc.health.v1 has it. Part of annals.h, which
 * includes it; what that header says of threads, errors and memory holds here.
 */
#ifndef ANNALS_CLIENT_ANNALS_HEALTH_H_
#define ANNALS_CLIENT_ANNALS_HEALTH_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

struct annals_client;

/*
 * Asks whether the server, or one of its services, takes calls now: not while it starts or stops.
 * Any server that has grpc.health.v1.Health can be asked, and nobody needs a token for it. Asks
 * once only.
 *
 * service: such as "annals.v1.HistoryService"; NULL or "": the whole server.
 * Errors: NOT_FOUND for a service that is not there, and whatever the connection says.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_is_serving(struct annals_client *client, const char *service, bool *ret_serving,
                              GError **error);

G_END_DECLS

#endif
