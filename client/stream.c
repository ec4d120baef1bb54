#include "client/stream.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include "client/core_call.h"

struct annals_client_stream {
  struct annals_client_core_call call;
  bool receiving;
  bool drained; /* there are no more messages */
  bool ended;   /* the status is there */
};

struct annals_client_stream *annals_client_stream_new(struct annals_client *client,
                                                      const char *path,
                                                      struct annals_buffer *request,
                                                      GError **error) {
  struct annals_client_stream *stream = g_new0(struct annals_client_stream, 1);
  grpc_slice slice = annals_client_core_slice(request);
  bool ok = annals_client_core_call_init(&stream->call, client, path, slice,
                                         gpr_inf_future(GPR_CLOCK_MONOTONIC), error);
  grpc_slice_unref(slice);
  if (!ok) {
    g_free(stream);
    return NULL;
  }
  annals_client_core_call_start(&stream->call, false, &stream->ended);
  return stream;
}

void annals_client_stream_free(struct annals_client_stream *stream) {
  if (stream != NULL) {
    annals_client_stream_cancel(stream);
    annals_client_core_call_clear(&stream->call);
    g_free(stream);
  }
}

static gpr_timespec time_of(int64_t until_us) {
  if (until_us == INT64_MAX) {
    return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  }
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_micros(until_us - g_get_monotonic_time(), GPR_TIMESPAN));
}

/* Takes what has happened; returns whether a message is there. */
static bool take(struct annals_client_stream *stream, const void *tag) {
  if (tag == &stream->ended) {
    stream->ended = true;
    return false;
  }
  stream->receiving = false;
  stream->drained = stream->call.response == NULL;
  return !stream->drained;
}

enum annals_client_stream_result annals_client_stream_receive(struct annals_client_stream *stream,
                                                              int64_t until_us,
                                                              struct annals_buffer *message,
                                                              GError **error) {
  while (!stream->ended || !stream->drained) {
    if (!stream->receiving && !stream->drained) {
      stream->receiving = true;
      annals_client_core_call_receive(&stream->call, &stream->receiving);
    }
    grpc_event event = grpc_completion_queue_next(stream->call.queue, time_of(until_us), NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT) {
      return ANNALS_CLIENT_STREAM_TIMEOUT;
    }
    if (take(stream, event.tag)) {
      return annals_client_core_call_take(&stream->call, message, error)
                 ? ANNALS_CLIENT_STREAM_MESSAGE
                 : ANNALS_CLIENT_STREAM_END;
    }
  }
  if (stream->call.status != GRPC_STATUS_OK) {
    annals_client_core_call_set_error(&stream->call, error);
  }
  return ANNALS_CLIENT_STREAM_END;
}

void annals_client_stream_cancel(struct annals_client_stream *stream) {
  grpc_call_cancel(stream->call.call, NULL);
}
