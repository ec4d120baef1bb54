#include "server/gateway/library_reply.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/buffer.h"
#include "server/gateway/aws_error.h"
#include "server/ops/log.h"

enum { BODY_BYTES_MAX = 1024 };

typedef enum MHD_Result (*queue_function)(struct MHD_Connection *connection, unsigned status,
                                          struct MHD_Response *response);

static queue_function library_queue;

/* Before there are threads. */
__attribute__((constructor)) static void find_library(void) {
  library_queue = (queue_function)dlsym(RTLD_NEXT, "MHD_queue_response");
  g_assert(library_queue != NULL);
}

/* NULL when the connection is none of the gateway's. */
static struct annals_call_context *context_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  const struct annals_connection *known = info == NULL ? NULL : info->socket_context;
  return known == NULL ? NULL : known->context;
}

static GError *error_of(unsigned status) {
  switch (status) {
    case MHD_HTTP_CONTENT_TOO_LARGE:
      return g_error_new_literal(ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_BODY_TOO_LARGE,
                                 "the body is too large");
    case MHD_HTTP_URI_TOO_LONG:
    case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
      return g_error_new_literal(ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_HEAD_TOO_LARGE,
                                 "the request line and the headers are too large");
    case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
      return g_error_new_literal(ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_HTTP_VERSION,
                                 "this version of HTTP is not supported");
    default:
      return g_error_new_literal(ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_AMBIGUOUS_HTTP,
                                 "the request is not well-formed HTTP");
  }
}

/* Not with %a and %b, which a locale may have other words for. */
static char *date_now(void) {
  static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  return g_strdup_printf("%s, %02d %s %d %02d:%02d:%02d GMT",
                         days[g_date_time_get_day_of_week(now) - 1],
                         g_date_time_get_day_of_month(now), months[g_date_time_get_month(now) - 1],
                         g_date_time_get_year(now), g_date_time_get_hour(now),
                         g_date_time_get_minute(now), g_date_time_get_second(now));
}

static char *answer_text(const GError *error, const char *request_id) {
  struct annals_buffer body;
  annals_buffer_init(&body, BODY_BYTES_MAX);
  annals_aws_error_append(error, &body);
  unsigned status = annals_aws_error_status(error);
  g_autofree char *date = date_now();
  char *text = g_strdup_printf(
      "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\nContent-Type: " ANNALS_AWS_JSON_TYPE
      "\r\n" ANNALS_REQUEST_ID_HEADER ": %s\r\nContent-Length: %zu\r\n\r\n%.*s",
      status, MHD_get_reason_phrase_for(status), date, request_id, body.len, (int)body.len,
      (const char *)body.data);
  annals_buffer_clear(&body);
  return text;
}

/* Sends what is the connection's last. Where it cannot be sent, nobody is left to be told. */
static void send_last(struct MHD_Connection *connection, const char *bytes, size_t size) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  const int fd = info->connect_fd;
  info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  if (info != NULL) {
    gnutls_record_send(info->tls_session, bytes, size);
    gnutls_bye(info->tls_session, GNUTLS_SHUT_WR);
  } else {
    send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  shutdown(fd, SHUT_RDWR);
}

/* Nothing of an earlier answer is unsent: libmicrohttpd reads a request when the one before is done
   with. A client that has filled its window with unread answers goes without. With the socket shut
   down, what libmicrohttpd sends afterwards reaches nobody, and it closes the connection. */
void annals_library_reply_send(struct MHD_Connection *connection, unsigned status) {
  g_autoptr(GError) error = error_of(status);
  g_autofree char *request_id = g_uuid_string_random();
  g_autofree char *text = answer_text(error, request_id);
  struct annals_call_context *context = context_of(connection);
  annals_gateway_meter_end(&context->meters.other, error, g_get_monotonic_time());
  /* First: who has the answer may look for its line at once. */
  annals_log_info("call failed", ANNALS_LOG_TEXT("request_id", request_id),
                  ANNALS_LOG_TEXT("reason", annals_aws_error_name(error)),
                  ANNALS_LOG_NUMBER("http_status", annals_aws_error_status(error)));
  send_last(connection, text, strlen(text));
}

/* In place of libmicrohttpd's, which is called all the same: where its answer is not queued, it
   frees what the code that found the error goes on to use. While it stops, it would queue nothing
   and then look for what it has queued: it does not stop in the midst of this. */
enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *response) {
  struct annals_call_context *context = context_of(connection);
  if (context == NULL || MHD_get_response_header(response, ANNALS_REQUEST_ID_HEADER) != NULL) {
    return library_queue(connection, status, response);
  }
  annals_library_reply_send(connection, status);
  if (!annals_in_flight_enter(&context->in_flight)) {
    return MHD_NO;
  }
  enum MHD_Result result = library_queue(connection, status, response);
  annals_in_flight_end_operation(&context->in_flight);
  return result;
}
