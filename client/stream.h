/*
 * One streaming call, from bytes to bytes. Private to the library.
 *
 * Threads: one at a time, except for annals_client_stream_cancel().
 */
#ifndef ANNALS_CLIENT_STREAM_H_
#define ANNALS_CLIENT_STREAM_H_

#include "client/annals.h"
#include "proto/buffer.h"

G_BEGIN_DECLS

struct annals_client_stream;

/*
 * Calls path, without a deadline. Waits for nothing. request is all that is sent; NULL: messages
 * are sent later.
 *
 * Memory: takes request's bytes and leaves it empty.
 * Errors: INVALID_ARGUMENT, when the token cannot be read.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client_stream *annals_client_stream_new(struct annals_client *client,
                                                      const char *path,
                                                      struct annals_buffer *request,
                                                      GError **error);
void annals_client_stream_free(struct annals_client_stream *stream);

/*
 * Sends a message, or says that there are no more; ANNALS_CLIENT_STREAM_SENT follows, unless the
 * stream has ended. One at a time. Memory: message is kept by reference.
 */
void annals_client_stream_send(struct annals_client_stream *stream, GBytes *message);
void annals_client_stream_send_close(struct annals_client_stream *stream);
bool annals_client_stream_is_sending(const struct annals_client_stream *stream);

enum annals_client_stream_result {
  ANNALS_CLIENT_STREAM_MESSAGE,
  ANNALS_CLIENT_STREAM_SENT, /* what was to be sent has left, or never will */
  ANNALS_CLIENT_STREAM_TIMEOUT,
  ANNALS_CLIENT_STREAM_END, /* error is set, unless it is a good one */
};

/*
 * Waits for the next message and appends it to message, or for something else to happen.
 *
 * Units: until_us is of the monotonic clock; INT64_MAX: for ever.
 * Errors: whatever the server or the connection says.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_client_stream_result annals_client_stream_receive(struct annals_client_stream *stream,
                                                              int64_t until_us,
                                                              struct annals_buffer *message,
                                                              GError **error);

/* Has the stream end with CANCELLED. */
void annals_client_stream_cancel(struct annals_client_stream *stream);

G_END_DECLS

#endif
