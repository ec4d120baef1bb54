/*
 * One server streaming call, from bytes to bytes. Private to the library.
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
 * Calls path, without a deadline. Waits for nothing.
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

enum annals_client_stream_result {
  ANNALS_CLIENT_STREAM_MESSAGE,
  ANNALS_CLIENT_STREAM_TIMEOUT,
  ANNALS_CLIENT_STREAM_END, /* error is set, unless it is a good one */
};

/*
 * Waits for the next message and appends it to message.
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
