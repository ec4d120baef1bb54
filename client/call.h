/*
 * One unary call, from bytes to bytes. Private to the library.
 */
#ifndef ANNALS_CLIENT_CALL_H_
#define ANNALS_CLIENT_CALL_H_

#include "client/annals.h"
#include "proto/buffer.h"

G_BEGIN_DECLS

enum {
  /* Any page fits: its events take at most 3.5 MiB, or one event 1 MiB. */
  ANNALS_CLIENT_RESPONSE_BYTES_MAX = 8 << 20,
  /* What the server's transport accepts. */
  ANNALS_CLIENT_REQUEST_BYTES_MAX = 8 << 20,
};

/* A method of the service. */
struct annals_client_method {
  const char *path; /* such as "/annals.v1.HistoryService/GetExecutionHistory" */
  bool repeatable; /* a call that has failed may be repeated, though it may have been carried out */
};

/*
 * Calls a method and waits for the answer. A call that may be repeated is, as often and as long as
 * the client's options say.
 *
 * Memory: takes request's bytes and leaves it empty. Appends the answer to response, which the
 *   caller clears in any case.
 * Errors: whatever the server or the connection says.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_call(struct annals_client *client, const struct annals_client_method *method,
                        struct annals_buffer *request, struct annals_buffer *response,
                        GError **error);

G_END_DECLS

#endif
