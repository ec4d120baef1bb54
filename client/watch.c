#include "client/call.h"
#include "client/error.h"
#include "client/exchange.h"
#include "client/session.h"
#include "proto/wire.h"

/*
 *            open                 message, event by event
 *   WAITING ──────► STREAMING ─────────────────────────────► (STREAMING)
 *      ▲                │  ends with OK
 *      └────────────────┤──────────────► ENDED
 *        breaks, silent
 */
enum {
  SILENCE_MS_DEFAULT = 90000,
  /* A stream that has lasted for so long has reached the server, though there was no message. */
  PROOF_US = 1000000,
  FIELD_EVENTS = 1,
  FIELD_EVENT_ID = 3,
};

struct annals_client_watch {
  struct annals_client_session session;
  struct annals_client_watch_request request;
  char *execution_arn;
  int64_t next_id;
  struct annals_buffer message;
  struct annals_wire_reader reader; /* of what of the message is to come */
  int64_t opened_us;
  int64_t heard_us;
  bool ended;
};

struct annals_client_watch *annals_client_watch_new(
    struct annals_client *client, const struct annals_client_watch_request *request) {
  struct annals_client_watch *watch = g_new0(struct annals_client_watch, 1);
  annals_client_session_init(&watch->session, client);
  watch->request = *request;
  watch->execution_arn = g_strdup(annals_client_text(request->execution_arn));
  if (watch->request.silence_ms <= 0) {
    watch->request.silence_ms = SILENCE_MS_DEFAULT;
  }
  watch->next_id = request->from_event_id == 0 ? 1 : request->from_event_id;
  annals_buffer_init(&watch->message, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  return watch;
}

void annals_client_watch_free(struct annals_client_watch *watch) {
  if (watch == NULL) {
    return;
  }
  annals_client_session_clear(&watch->session);
  annals_buffer_clear(&watch->message);
  g_free(watch->execution_arn);
  g_free(watch);
}

void annals_client_watch_cancel(struct annals_client_watch *watch) {
  annals_client_session_cancel(&watch->session);
}

/* --- events --- */

static int64_t id_of(const struct annals_wire_field *event) {
  struct annals_wire_reader reader = {event->bytes, event->bytes + event->size};
  struct annals_wire_field field;
  int64_t id = 0;
  while (annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD) {
    if (field.number == FIELD_EVENT_ID && field.type == ANNALS_WIRE_VARINT) {
      id = (int64_t)field.varint;
    }
  }
  return id;
}

/* Takes the next event of the message. True without one: there is none left. */
static bool take_event(struct annals_client_watch *watch, struct annals_client_event *event,
                       GError **error) {
  struct annals_wire_field field;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&watch->reader, &field)) == ANNALS_WIRE_FIELD) {
    if (field.number != FIELD_EVENTS || field.type != ANNALS_WIRE_BYTES) {
      continue;
    }
    if (id_of(&field) != watch->next_id) {
      annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                              "the server sent another event than that of id %" G_GINT64_FORMAT,
                              watch->next_id);
      return false;
    }
    watch->next_id++;
    *event = (struct annals_client_event){field.bytes, field.size};
    return true;
  }
  if (result == ANNALS_WIRE_MALFORMED) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                            "the server's answer is not a WatchExecutionHistoryResponse");
    return false;
  }
  *event = (struct annals_client_event){0};
  return true;
}

static void drop_message(struct annals_client_watch *watch) {
  annals_buffer_reset(&watch->message);
  watch->reader = (struct annals_wire_reader){0};
}

/* --- the stream --- */

static bool open_stream(struct annals_client_watch *watch, GError **error) {
  Annals__V1__WatchExecutionHistoryRequest message =
      ANNALS__V1__WATCH_EXECUTION_HISTORY_REQUEST__INIT;
  Google__Protobuf__BoolValue include = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;
  message.execution_arn = watch->execution_arn;
  message.from_event_id = watch->next_id;
  message.include_execution_data = watch->request.without_execution_data ? &include : NULL;
  message.follow_redrives = watch->request.follow_redrives;
  struct annals_buffer request;
  if (!annals_client_pack(&message.base, &request, error)) {
    return false;
  }
  struct annals_client_stream *stream = annals_client_stream_new(
      watch->session.client, "/annals.v1.HistoryService/WatchExecutionHistory", &request, error);
  if (stream == NULL) {
    return false;
  }
  annals_client_session_set_stream(&watch->session, stream);
  watch->opened_us = g_get_monotonic_time();
  watch->heard_us = watch->opened_us;
  return true;
}

/* The stream has broken, maybe after it has shown that there is a server. */
static bool lose(struct annals_client_watch *watch, GError *why, GError **error) {
  if (watch->heard_us > watch->opened_us || g_get_monotonic_time() - watch->opened_us > PROOF_US) {
    annals_client_session_prove(&watch->session);
  }
  return annals_client_session_lose(&watch->session, why, error);
}

static bool fail_late(int64_t until_us, GError **error) {
  if (g_get_monotonic_time() < until_us) {
    return true;
  }
  annals_client_error_set(error, ANNALS_CLIENT_DEADLINE_EXCEEDED, "", "no event came in time");
  return false;
}

/* Waits for a message, or for something else to happen. */
static bool receive(struct annals_client_watch *watch, int64_t until_us, GError **error) {
  int64_t silent_us = watch->heard_us + watch->request.silence_ms * 1000;
  GError *why = NULL;
  drop_message(watch);
  switch (annals_client_stream_receive(watch->session.stream, MIN(until_us, silent_us),
                                       &watch->message, &why)) {
    case ANNALS_CLIENT_STREAM_MESSAGE:
      watch->heard_us = MAX(g_get_monotonic_time(), watch->opened_us + 1);
      watch->reader = (struct annals_wire_reader){watch->message.data,
                                                  watch->message.data + watch->message.len};
      return true;
    case ANNALS_CLIENT_STREAM_SENT: /* a watch sends nothing behind its request */
      g_assert_not_reached();
    case ANNALS_CLIENT_STREAM_TIMEOUT:
      if (g_get_monotonic_time() < silent_us) {
        return true;
      }
      annals_client_error_set(&why, ANNALS_CLIENT_UNAVAILABLE, "",
                              "the server has not said anything for too long");
      break;
    case ANNALS_CLIENT_STREAM_END:
      watch->ended = why == NULL;
      break;
  }
  if (why != NULL) {
    return lose(watch, why, error);
  }
  annals_client_session_set_stream(&watch->session, NULL);
  return true;
}

/* Does the next thing; returns false when the caller has to know. */
static bool go_on(struct annals_client_watch *watch, int64_t until_us, GError **error) {
  if (annals_client_session_is_cancelled(&watch->session)) {
    annals_client_error_set(error, ANNALS_CLIENT_CANCELLED, "", "the watch was cancelled");
    return false;
  }
  if (watch->session.stream != NULL) {
    return receive(watch, until_us, error) &&
           (watch->reader.at != NULL || watch->ended || fail_late(until_us, error));
  }
  if (g_get_monotonic_time() >= watch->session.retry_us) {
    return open_stream(watch, error);
  }
  annals_client_session_wait(&watch->session, MIN(watch->session.retry_us, until_us));
  return fail_late(until_us, error);
}

bool annals_client_watch_next(struct annals_client_watch *watch, int64_t timeout_ms,
                              struct annals_client_event *ret_event, GError **error) {
  int64_t until_us = timeout_ms < 0 ? INT64_MAX : g_get_monotonic_time() + timeout_ms * 1000;
  struct annals_client_event event = {0};
  for (;;) {
    if (!take_event(watch, &event, error)) {
      drop_message(watch);
      annals_client_session_set_stream(&watch->session, NULL);
      return false;
    }
    if (event.data != NULL || watch->ended) {
      *ret_event = event;
      return true;
    }
    if (!go_on(watch, until_us, error)) {
      return false;
    }
  }
}
