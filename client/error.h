/*
 * Making the errors that annals.h describes. Private to the library.
 */
#ifndef ANNALS_CLIENT_ERROR_H_
#define ANNALS_CLIENT_ERROR_H_

#include "client/annals.h"

G_BEGIN_DECLS

/* Sets an error that was found on this side, with a reason of the server's table, or "". */
void annals_client_error_set(GError **error, enum annals_client_code code, const char *reason,
                             const char *format, ...) G_GNUC_PRINTF(4, 5);

/*
 * Sets the error of a failed call.
 *
 * details is the value of grpc-status-details-bin, a serialised google.rpc.Status; size 0 when
 * there was none. What cannot be decoded is left out: code and message stand on their own.
 */
void annals_client_error_set_status(GError **error, int code, const char *message,
                                    const uint8_t *details, size_t size);

G_END_DECLS

#endif
