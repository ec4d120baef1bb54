#include "client/stream.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include "client/core_call.h"

struct annals_client_stream {
  struct annals_client_core_call call;
  bool sending;
  bool deaf; /* nothing more can be sent */
  bool receiving;
  bool drained; /* there are no more messages */
  bool ended;   /* the status is there */
};

struct annals_client_stream *annals_client_stream_new(struct annals_client *client,
                                                      const char *path,
                                                      struct annals_buffer *request,
                                                      GError **error) {
  struct annals_client_stream *stream = g_new0(struct annals_client_stream, 1);
  grpc_slice slice = request != NULL ? annals_client_core_slice(request) : grpc_empty_slice();
  bool ok =
      annals_client_core_call_init(&stream->call, client, path, request != NULL ? &slice : NULL,
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

static void unref_bytes(void *bytes) {
  g_bytes_unref(bytes);
}

bool annals_client_stream_is_sending(const struct annals_client_stream *stream) {
  return stream->sending;
}

void annals_client_stream_send(struct annals_client_stream *stream, GBytes *message) {
  gsize size;
  const void *data = g_bytes_get_data(message, &size);
  g_assert(!stream->sending);
  if (stream->deaf || stream->ended) {
    return;
  }
  grpc_slice slice =
      grpc_slice_new_with_user_data((void *)data, size, unref_bytes, g_bytes_ref(message));
  stream->sending = true;
  annals_client_core_call_send(&stream->call, slice, &stream->sending);
  grpc_slice_unref(slice);
}

void annals_client_stream_send_close(struct annals_client_stream *stream) {
  g_assert(!stream->sending);
  if (!stream->deaf && !stream->ended) {
    stream->sending = true;
    stream->deaf = true;
    annals_client_core_call_send_close(&stream->call, &stream->sending);
  }
}

static void take_sent(struct annals_client_stream *stream, bool ok) {
  stream->sending = false;
  stream->deaf = stream->deaf || !ok;
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

static bool is_over(const struct annals_client_stream *stream) {
  return stream->ended && stream->drained && !stream->sending;
}

enum annals_client_stream_result annals_client_stream_receive(struct annals_client_stream *stream,
                                                              int64_t until_us,
                                                              struct annals_buffer *message,
                                                              GError **error) {
  while (!is_over(stream)) {
    if (!stream->receiving && !stream->drained) {
      stream->receiving = true;
      annals_client_core_call_receive(&stream->call, &stream->receiving);
    }
    grpc_event event = grpc_completion_queue_next(stream->call.queue, time_of(until_us), NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT) {
      return ANNALS_CLIENT_STREAM_TIMEOUT;
    }
    if (event.tag == &stream->sending) {
      take_sent(stream, event.success != 0);
      return ANNALS_CLIENT_STREAM_SENT;
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
