/*
 * A call on gRPC's C core, as unary calls (call.c) and streams (stream.c) share it. Private to the
 * library.
 *
 * With channel.h and the .c files of these, all that knows gRPC.
 */
#ifndef ANNALS_CLIENT_CORE_CALL_H_
#define ANNALS_CLIENT_CORE_CALL_H_

#include <grpc/grpc.h>

#include "client/annals.h"
#include "proto/buffer.h"

G_BEGIN_DECLS

struct annals_client {
  grpc_channel *channel;
  int64_t timeout_ms;
  int attempts_max;
  char *token;      /* NULL: none, or in the file */
  char *token_file; /* NULL: none */
};

/* All that one call holds. */
struct annals_client_core_call {
  grpc_completion_queue *queue; /* its own: no thread ever takes another's event */
  grpc_call *call;
  char *authorization;       /* of the call's metadata; NULL: none */
  grpc_byte_buffer *request; /* the last that was sent; NULL: none yet */
  grpc_byte_buffer *response;
  grpc_metadata_array initial_metadata;
  grpc_metadata_array trailing_metadata;
  grpc_status_code status;
  grpc_slice message;
};

/*
 * Makes a call of path that sends request, which it takes a reference of; NULL: a stream, whose
 * messages follow. Nothing is sent yet.
 * Errors: INVALID_ARGUMENT, when the token cannot be read; there is nothing to clear then.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_core_call_init(struct annals_client_core_call *call,
                                  struct annals_client *client, const char *path,
                                  grpc_slice *request, gpr_timespec deadline, GError **error);

/* Frees the call. Nothing of it may be under way but what its cancellation ends. */
void annals_client_core_call_clear(struct annals_client_core_call *call);

/* The request as a slice; takes the buffer's bytes. */
grpc_slice annals_client_core_slice(struct annals_buffer *request);

enum { ANNALS_CLIENT_CORE_OPS = 6 };

/*
 * Starts the batch that sends the whole request, if there is one, and receives the status, and with
 * it, if unary, the one answer. tag comes when all of that has happened.
 */
void annals_client_core_call_start(struct annals_client_core_call *call, bool unary, void *tag);

/* Starts sending a message, of which it takes a reference, or the end of them. One at a time. */
void annals_client_core_call_send(struct annals_client_core_call *call, grpc_slice message,
                                  void *tag);
void annals_client_core_call_send_close(struct annals_client_core_call *call, void *tag);

/* Starts receiving a message into call->response. */
void annals_client_core_call_receive(struct annals_client_core_call *call, void *tag);

/* Sets the error that the status says. */
void annals_client_core_call_set_error(const struct annals_client_core_call *call, GError **error);

/*
 * Appends the answer that has been received to response. Errors: INTERNAL when there is none,
 *   RESOURCE_EXHAUSTED.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_core_call_take(struct annals_client_core_call *call,
                                  struct annals_buffer *response, GError **error);

G_END_DECLS

#endif
