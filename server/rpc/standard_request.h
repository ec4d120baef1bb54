/*
 * Reading the requests of health and reflection off the wire.
 *
 * Floor 3, private to server/rpc. Unknown fields are ignored, and the last of repeated ones counts.
 */
#ifndef ANNALS_SERVER_RPC_STANDARD_REQUEST_H_
#define ANNALS_SERVER_RPC_STANDARD_REQUEST_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

/*
 * Reads a HealthCheckRequest: the service, "" when absent.
 * Memory: g_free() the result. Errors: INVALID_REQUEST.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_health_request_read(const uint8_t *bytes, size_t size, char **ret_service,
                                    GError **error);

/* What reflection can be asked for: field numbers of ServerReflectionRequest. */
enum annals_rpc_reflection_question {
  ANNALS_RPC_REFLECTION_NOTHING = 0,
  ANNALS_RPC_REFLECTION_FILE = 3,
  ANNALS_RPC_REFLECTION_SYMBOL = 4,
  ANNALS_RPC_REFLECTION_EXTENSION = 5,
  ANNALS_RPC_REFLECTION_EXTENSION_NUMBERS = 6,
  ANNALS_RPC_REFLECTION_SERVICES = 7,
};

/* A ServerReflectionRequest. Texts are owned, "" when absent. */
struct annals_rpc_reflection_request {
  char *host;
  enum annals_rpc_reflection_question question;
  char *name; /* of what is asked for; of EXTENSION, the message that is extended */
};

/* Reads the message. Clear the request also after a failure. Errors: INVALID_REQUEST. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_reflection_request_read(const uint8_t *bytes, size_t size,
                                        struct annals_rpc_reflection_request *ret_request,
                                        GError **error);
void annals_rpc_reflection_request_clear(struct annals_rpc_reflection_request *request);

G_END_DECLS

#endif
