#include "client/annals_append_stream.h"

#include "client/append_message.h"
#include "client/call.h"
#include "client/error.h"
#include "client/session.h"
#include "google/rpc/status.pb-c.h"
#include "proto/wire.h"

/*
 * An append is an item from its request to its outcome. Items stand in the order of their numbers:
 *
 *   answered, not taken | sent, without an answer | not sent on this stream
 *   ^ the first           ^ awaited                 ^ unsent
 *
 * Where a stream breaks, all without an answer are unsent again. An answer that says to try again
 * breaks the stream: what has been sent behind it may have failed for want of that append.
 */
enum {
  IN_FLIGHT_DEFAULT = 64,
  IN_FLIGHT_BYTES_DEFAULT = 16 << 20,
  FIELD_APPEND = 1,
  FIELD_APPENDED = 1,
  FIELD_ERROR = 2,
};

struct item {
  GBytes *message; /* NULL: it has been answered */
  size_t bytes;
  int64_t number;
  void *tag;
  GError *refusal;
  struct annals_client_append_result result;
};

struct annals_client_append_stream {
  struct annals_client_session session;
  size_t in_flight_max;
  size_t in_flight_bytes_max;
  GQueue items;
  GList *awaited; /* NULL: all have been answered */
  GList *unsent;  /* NULL: all have been sent */
  size_t bytes;
  int64_t opened_us;     /* the stream */
  int64_t begun;         /* appends, ever */
  GError *taken_refusal; /* of the last outcome */
  GError *flush_refusal; /* the first one, while a flush is not at its end */
  GError *fault;         /* found while an append began: for who asks next */
  bool closed;
};

static void item_free(gpointer data) {
  struct item *item = data;
  g_clear_pointer(&item->message, g_bytes_unref);
  g_clear_error(&item->refusal);
  g_free(item);
}

struct annals_client_append_stream *annals_client_append_stream_new(
    struct annals_client *client, const struct annals_client_append_stream_options *options) {
  static const struct annals_client_append_stream_options defaults = {0};
  if (options == NULL) {
    options = &defaults;
  }
  struct annals_client_append_stream *stream = g_new0(struct annals_client_append_stream, 1);
  annals_client_session_init(&stream->session, client);
  stream->in_flight_max = options->in_flight_max > 0 ? options->in_flight_max : IN_FLIGHT_DEFAULT;
  stream->in_flight_bytes_max =
      options->in_flight_bytes_max > 0 ? options->in_flight_bytes_max : IN_FLIGHT_BYTES_DEFAULT;
  return stream;
}

void annals_client_append_stream_free(struct annals_client_append_stream *stream) {
  if (stream != NULL) {
    annals_client_session_clear(&stream->session);
    g_queue_clear_full(&stream->items, item_free);
    g_clear_error(&stream->taken_refusal);
    g_clear_error(&stream->flush_refusal);
    g_clear_error(&stream->fault);
    g_free(stream);
  }
}

bool annals_client_append_stream_has_room(const struct annals_client_append_stream *stream) {
  return stream->items.length < stream->in_flight_max &&
         stream->bytes < stream->in_flight_bytes_max;
}

size_t annals_client_append_stream_in_flight(const struct annals_client_append_stream *stream) {
  return stream->items.length;
}

void annals_client_append_stream_cancel(struct annals_client_append_stream *stream) {
  annals_client_session_cancel(&stream->session);
}

static bool check_cancelled(struct annals_client_append_stream *stream, GError **error) {
  if (annals_client_session_is_cancelled(&stream->session)) {
    annals_client_error_set(error, ANNALS_CLIENT_CANCELLED, "", "the append stream was cancelled");
    return false;
  }
  return true;
}

/* --- answers --- */

/* The stream has broken; takes the error. */
static bool lose(struct annals_client_append_stream *stream, GError *why, GError **error) {
  stream->unsent = stream->awaited;
  return annals_client_session_lose(&stream->session, why, error);
}

static bool lose_to_nonsense(struct annals_client_append_stream *stream, GError **error) {
  return lose(stream,
              g_error_new(ANNALS_CLIENT_ERROR, ANNALS_CLIENT_INTERNAL,
                          "the server's answer is not an AppendHistoryEventsStreamResponse"),
              error);
}

/* The awaited item has its outcome. */
static void settle(struct annals_client_append_stream *stream, GError *refusal,
                   const struct annals_client_append_result *result) {
  struct item *item = stream->awaited->data;
  g_clear_pointer(&item->message, g_bytes_unref);
  item->refusal = refusal;
  item->result = *result;
  stream->awaited = stream->awaited->next;
  annals_client_session_prove(&stream->session);
}

static bool take_failure(struct annals_client_append_stream *stream, const uint8_t *bytes,
                         size_t size, GError **error) {
  static const struct annals_client_append_result nothing = {0};
  Google__Rpc__Status *status = google__rpc__status__unpack(NULL, size, bytes);
  if (status == NULL || status->code == 0) {
    google__rpc__status__free_unpacked(status, NULL);
    return lose_to_nonsense(stream, error);
  }
  GError *refusal = NULL;
  int64_t delay_ms;
  annals_client_error_set_status(&refusal, status->code, status->message, bytes, size);
  google__rpc__status__free_unpacked(status, NULL);
  if (annals_client_error_is_retriable(refusal, &delay_ms)) {
    return lose(stream, refusal, error);
  }
  settle(stream, refusal, &nothing);
  return true;
}

static bool take_answer(struct annals_client_append_stream *stream,
                        const struct annals_buffer *answer, GError **error) {
  struct annals_client_append_result result;
  struct annals_wire_reader reader = {answer->data, answer->data + answer->len};
  struct annals_wire_field field;
  if (stream->awaited == stream->unsent || answer->len == 0 ||
      annals_wire_next(&reader, &field) != ANNALS_WIRE_FIELD || reader.at != reader.end ||
      field.type != ANNALS_WIRE_BYTES) {
    return lose_to_nonsense(stream, error);
  }
  if (field.number == FIELD_ERROR) {
    return take_failure(stream, field.bytes, field.size, error);
  }
  if (field.number != FIELD_APPENDED ||
      !annals_client_append_unpack(field.bytes, field.size, &result, NULL)) {
    return lose_to_nonsense(stream, error);
  }
  settle(stream, NULL, &result);
  return true;
}

/* --- the stream --- */

static bool open_stream(struct annals_client_append_stream *stream, GError **error) {
  struct annals_client_stream *fresh = annals_client_stream_new(
      stream->session.client, "/annals.v1.HistoryService/AppendHistoryEventsStream", NULL, error);
  if (fresh == NULL) {
    return false;
  }
  annals_client_session_set_stream(&stream->session, fresh);
  stream->opened_us = g_get_monotonic_time();
  return true;
}

static void send_next(struct annals_client_append_stream *stream) {
  if (stream->unsent != NULL && !annals_client_stream_is_sending(stream->session.stream)) {
    const struct item *item = stream->unsent->data;
    annals_client_stream_send(stream->session.stream, item->message);
    stream->unsent = stream->unsent->next;
  }
}

/* No answer for as long as a call may take. Asked again, the stream has that time again. */
static bool give_up(struct annals_client_append_stream *stream, GError **error) {
  annals_client_session_set_stream(&stream->session, NULL);
  stream->unsent = stream->awaited;
  stream->session.since_us = g_get_monotonic_time();
  annals_client_error_set(error, ANNALS_CLIENT_DEADLINE_EXCEEDED, "",
                          "the server did not answer an append in time");
  return false;
}

/* Waits for something to happen, and takes it. */
static bool receive(struct annals_client_append_stream *stream, int64_t until_us, GError **error) {
  int64_t late_us = MAX(stream->session.since_us, stream->opened_us) + stream->session.timeout_us;
  struct annals_buffer answer;
  GError *why = NULL;
  bool ok = true;
  annals_buffer_init(&answer, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  switch (
      annals_client_stream_receive(stream->session.stream, MIN(until_us, late_us), &answer, &why)) {
    case ANNALS_CLIENT_STREAM_MESSAGE:
      ok = take_answer(stream, &answer, error);
      break;
    case ANNALS_CLIENT_STREAM_SENT:
      break;
    case ANNALS_CLIENT_STREAM_TIMEOUT:
      ok = g_get_monotonic_time() < late_us || give_up(stream, error);
      break;
    case ANNALS_CLIENT_STREAM_END:
      if (why == NULL) {
        annals_client_error_set(&why, ANNALS_CLIENT_UNAVAILABLE, "",
                                "the server has ended the stream");
      }
      ok = lose(stream, why, error);
      break;
  }
  annals_buffer_clear(&answer);
  return ok;
}

/* Does the next thing for the appends that wait for their answers; there are some. */
static bool go_on(struct annals_client_append_stream *stream, int64_t until_us, GError **error) {
  if (stream->session.stream == NULL) {
    if (g_get_monotonic_time() < stream->session.retry_us) {
      annals_client_session_wait(&stream->session, MIN(stream->session.retry_us, until_us));
      return true;
    }
    if (!open_stream(stream, error)) {
      return false;
    }
  }
  send_next(stream);
  return receive(stream, until_us, error);
}

/* --- append --- */

static bool check_append(struct annals_client_append_stream *stream, GError **error) {
  if (stream->closed) {
    annals_client_error_set(error, ANNALS_CLIENT_FAILED_PRECONDITION, "",
                            "the append stream is closed");
    return false;
  }
  if (!annals_client_append_stream_has_room(stream)) {
    annals_client_error_set(error, ANNALS_CLIENT_RESOURCE_EXHAUSTED, "",
                            "%u appends are in flight: take an outcome first",
                            stream->items.length);
    return false;
  }
  return check_cancelled(stream, error);
}

static void push(struct annals_client_append_stream *stream, struct annals_buffer *message,
                 void *tag) {
  struct item *item = g_new0(struct item, 1);
  size_t size;
  uint8_t *bytes = annals_buffer_steal(message, &size);
  item->message = g_bytes_new_take(bytes, size);
  item->bytes = size;
  item->number = ++stream->begun;
  item->tag = tag;
  stream->bytes += size;
  g_queue_push_tail(&stream->items, item);
  if (stream->unsent == NULL) {
    stream->unsent = stream->items.tail;
  }
  if (stream->awaited == NULL) {
    stream->awaited = stream->items.tail;
    stream->session.since_us = g_get_monotonic_time();
  }
}

/* Lets leave and come what does so at once. */
static void pump(struct annals_client_append_stream *stream) {
  int64_t now_us = g_get_monotonic_time();
  do {
    if (!go_on(stream, now_us, &stream->fault)) {
      return;
    }
  } while (stream->session.stream != NULL && stream->unsent != NULL &&
           !annals_client_stream_is_sending(stream->session.stream));
}

bool annals_client_append_stream_append(struct annals_client_append_stream *stream,
                                        const struct annals_client_append_request *request,
                                        void *tag, GError **error) {
  struct annals_buffer message;
  if (!check_append(stream, error) || !annals_client_append_pack(request, &message, error)) {
    return false;
  }
  annals_wire_wrap(&message, 0, FIELD_APPEND);
  push(stream, &message, tag);
  if (stream->fault == NULL) {
    pump(stream);
  }
  return true;
}

/* --- outcomes --- */

static void take_outcome(struct annals_client_append_stream *stream,
                         struct annals_client_append_outcome *ret_outcome) {
  struct item *item = g_queue_pop_head(&stream->items);
  g_clear_error(&stream->taken_refusal);
  *ret_outcome = (struct annals_client_append_outcome){0};
  if (item == NULL) {
    return;
  }
  stream->taken_refusal = g_steal_pointer(&item->refusal);
  stream->bytes -= item->bytes;
  *ret_outcome = (struct annals_client_append_outcome){
      .number = item->number,
      .tag = item->tag,
      .error = stream->taken_refusal,
      .result = item->result,
  };
  item_free(item);
}

/* Tells whether the next outcome is there, or none will come. */
static bool is_ready(const struct annals_client_append_stream *stream) {
  return stream->items.head == NULL || stream->items.head != stream->awaited;
}

static int64_t until_of(int64_t timeout_ms) {
  return timeout_ms < 0 ? INT64_MAX : g_get_monotonic_time() + timeout_ms * 1000;
}

static bool next(struct annals_client_append_stream *stream, int64_t until_us,
                 struct annals_client_append_outcome *ret_outcome, GError **error) {
  while (!is_ready(stream)) {
    if (!check_cancelled(stream, error)) {
      return false;
    }
    if (stream->fault != NULL) {
      g_propagate_error(error, g_steal_pointer(&stream->fault));
      return false;
    }
    if (!go_on(stream, until_us, error)) {
      return false;
    }
    if (!is_ready(stream) && g_get_monotonic_time() >= until_us) {
      annals_client_error_set(error, ANNALS_CLIENT_DEADLINE_EXCEEDED, "",
                              "no outcome came in time");
      return false;
    }
  }
  take_outcome(stream, ret_outcome);
  return true;
}

bool annals_client_append_stream_next(struct annals_client_append_stream *stream,
                                      int64_t timeout_ms,
                                      struct annals_client_append_outcome *ret_outcome,
                                      GError **error) {
  return check_cancelled(stream, error) && next(stream, until_of(timeout_ms), ret_outcome, error);
}

/* Takes all outcomes; the first refusal is kept. */
static bool drain(struct annals_client_append_stream *stream, int64_t until_us, GError **error) {
  struct annals_client_append_outcome outcome;
  if (!check_cancelled(stream, error)) {
    return false;
  }
  do {
    if (!next(stream, until_us, &outcome, error)) {
      return false;
    }
    if (outcome.error != NULL && stream->flush_refusal == NULL) {
      stream->flush_refusal = g_error_copy(outcome.error);
    }
  } while (outcome.number != 0);
  return true;
}

static bool report(struct annals_client_append_stream *stream, GError **error) {
  bool ok = stream->flush_refusal == NULL;
  if (!ok) {
    g_propagate_error(error, g_steal_pointer(&stream->flush_refusal));
  }
  return ok;
}

bool annals_client_append_stream_flush(struct annals_client_append_stream *stream,
                                       int64_t timeout_ms, GError **error) {
  return drain(stream, until_of(timeout_ms), error) && report(stream, error);
}

/* Tells the server that there is no more, and hears it out; all has been answered. */
static void half_close(struct annals_client_append_stream *stream, int64_t until_us) {
  struct annals_client_stream *core = stream->session.stream;
  int64_t late_us = g_get_monotonic_time() + stream->session.timeout_us;
  enum annals_client_stream_result result;
  struct annals_buffer ignored;
  bool told = false;
  annals_buffer_init(&ignored, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  do {
    if (!told && !annals_client_stream_is_sending(core)) {
      annals_client_stream_send_close(core);
      told = true;
    }
    result = annals_client_stream_receive(core, MIN(until_us, late_us), &ignored, NULL);
  } while (result == ANNALS_CLIENT_STREAM_SENT);
  annals_buffer_clear(&ignored);
}

bool annals_client_append_stream_close(struct annals_client_append_stream *stream,
                                       int64_t timeout_ms, GError **error) {
  int64_t until_us = until_of(timeout_ms);
  if (!drain(stream, until_us, error)) {
    return false;
  }
  stream->closed = true;
  if (stream->session.stream != NULL) {
    half_close(stream, until_us);
    annals_client_session_set_stream(&stream->session, NULL);
  }
  return report(stream, error);
}
