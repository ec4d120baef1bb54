#include "server/gateway/call.h"

#include <stdbool.h>
#include <string.h>

#include "proto/buffer.h"
#include "server/gateway/aws_error.h"
#include "server/gateway/head.h"
#include "server/gateway/library_reply.h"
#include "server/gateway/operation.h"
#include "server/gateway/request.h"
#include "server/history/error.h"
#include "server/ops/http_arguments.h"

enum {
  /* How much of a body over the limit is read all the same: a client that is still sending when the
     connection is closed may never see why. */
  DISCARD_BYTES_MAX = 8 * 1024 * 1024,
  /* An error may quote the whole body, whose bytes may each be escaped as six; and its own text. */
  ERROR_BYTES_PER_BODY_BYTE = 6,
  ERROR_TEXT_BYTES_MAX = 64 * 1024,
};

enum stage { STAGE_HEAD, STAGE_BODY, STAGE_RUNNING, STAGE_ANSWERED };

enum handoff { HANDOFF_RUNNING, HANDOFF_SUSPENDED, HANDOFF_DONE };

struct annals_call {
  struct annals_call_context *context;
  struct MHD_Connection *connection;
  char *target; /* as in the request line, with its query: what a signature is made of */
  char *request_id;
  int64_t started_us;
  struct annals_trace trace;
  const char *http_method; /* these two as in struct annals_call_summary */
  const char *http_path;
  enum stage stage;
  bool close; /* the connection, behind the answer */

  struct annals_buffer body;
  size_t discarded_bytes;
  struct annals_caller caller;

  const struct annals_operation *operation; /* NULL: not known yet */
  struct annals_call_meter *meter;          /* its, or that of none */
  bool operation_started;
  struct annals_operation_run run;
  gint handoff;
  size_t reply_bytes; /* of the answer, being made or made: as many are counted in flight */
};

/* --- the answer --- */

/* Logs the end of the request; error NULL: success. */
static void report(struct annals_call *call, const GError *error, unsigned status) {
  const struct annals_call_summary end = {
      .transport = "aws_json",
      .method = call->operation == NULL ? NULL : call->operation->name,
      .request_id = call->request_id,
      .trace = &call->trace,
      .principal = call->caller.principal == NULL ? NULL : call->caller.principal->name,
      .arn = call->run.subject,
      .reason = error == NULL ? NULL : annals_aws_error_name(error),
      .detail = error == NULL ? NULL : annals_error_log_detail(error),
      .status_key = "http_status",
      .status = status,
      .level = status == MHD_HTTP_INTERNAL_SERVER_ERROR ? ANNALS_LOG_ERROR : ANNALS_LOG_INFO,
      .started_us = call->started_us,
      .http_method = call->http_method,
      .http_path = call->http_path,
  };
  annals_call_log_end(call->context->call_log, &end);
}

/* Turns the run's result into what is sent; returns the HTTP status. */
static unsigned take_result(struct annals_call *call, struct annals_buffer *ret_answer) {
  if (call->run.error == NULL) {
    *ret_answer = call->run.answer;
    call->run.answer = (struct annals_buffer){0};
    report(call, NULL, MHD_HTTP_OK);
    return MHD_HTTP_OK;
  }
  unsigned status = annals_aws_error_status(call->run.error);
  annals_buffer_init(ret_answer, ERROR_BYTES_PER_BODY_BYTE * call->body.max + ERROR_TEXT_BYTES_MAX);
  annals_aws_error_append(call->run.error, ret_answer);
  report(call, call->run.error, status);
  return status;
}

/* Hands the trace back, if there is one. */
static bool add_trace(const struct annals_call *call, struct MHD_Response *response) {
  char text[ANNALS_TRACEPARENT_BYTES + 1];
  if (!call->trace.exists) {
    return true;
  }
  annals_trace_format(&call->trace, text);
  return MHD_add_response_header(response, ANNALS_TRACEPARENT, text) == MHD_YES;
}

static bool add_headers(const struct annals_call *call, struct MHD_Response *response) {
  return add_trace(call, response) &&
         MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, ANNALS_AWS_JSON_TYPE) ==
             MHD_YES &&
         MHD_add_response_header(response, ANNALS_REQUEST_ID_HEADER, call->request_id) == MHD_YES &&
         (!call->close ||
          MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES);
}

static void leave_body(struct annals_call *call, enum stage next) {
  if (call->stage == STAGE_BODY) {
    annals_in_flight_call_received(&call->context->in_flight);
  }
  call->stage = next;
}

/* Sends the run's result. MHD_NO, where there is no memory for it, closes the connection. */
static enum MHD_Result answer(struct annals_call *call) {
  struct annals_buffer body;
  unsigned status = take_result(call, &body);
  leave_body(call, STAGE_ANSWERED);
  annals_gateway_meter_end(call->meter, call->run.error, call->started_us);
  if (body.failed) {
    annals_buffer_clear(&body);
    return MHD_NO;
  }
  annals_series_add(call->meter->response_bytes, (int64_t)body.len);
  annals_series_add(call->meter->events_read, call->run.event_count);
  size_t more = body.cap > call->reply_bytes ? body.cap - call->reply_bytes : 0;
  call->reply_bytes += more;
  if (annals_in_flight_add_reply(&call->context->in_flight, more)) {
    call->close = true;
  }
  size_t size;
  uint8_t *bytes = annals_buffer_steal(&body, &size);
  struct MHD_Response *response =
      MHD_create_response_from_buffer_with_free_callback(size, bytes, g_free);
  if (response == NULL) {
    g_free(bytes);
    return MHD_NO;
  }
  enum MHD_Result result =
      add_headers(call, response) ? MHD_queue_response(call->connection, status, response) : MHD_NO;
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result refuse(struct annals_call *call, enum annals_gateway_error code,
                              const char *message) {
  g_set_error_literal(&call->run.error, ANNALS_GATEWAY_ERROR, (int)code, message);
  return answer(call);
}

/* --- the operation --- */

/* Called by the operation when it was pending: perhaps on another thread, perhaps at once. */
static void on_run_done(struct annals_operation_run *run) {
  struct annals_call *call =
      (struct annals_call *)((char *)run - offsetof(struct annals_call, run));
  struct annals_in_flight *in_flight = &call->context->in_flight;
  if (!g_atomic_int_compare_and_exchange(&call->handoff, HANDOFF_RUNNING, HANDOFF_DONE)) {
    MHD_resume_connection(call->connection); /* and from here on the call may be gone */
  }
  annals_in_flight_end_operation(in_flight);
}

/* Called while the operation runs: one thread at a time has the call. */
static bool hold(struct annals_operation_run *run, size_t bytes) {
  struct annals_call *call =
      (struct annals_call *)((char *)run - offsetof(struct annals_call, run));
  if (!annals_in_flight_hold(&call->context->in_flight, call->reply_bytes, bytes)) {
    return false;
  }
  call->reply_bytes += bytes;
  return true;
}

static enum MHD_Result finish(struct annals_call *call) {
  if (call->run.error == NULL) {
    call->operation->finish(&call->run);
  }
  return answer(call);
}

static enum MHD_Result start(struct annals_call *call) {
  call->operation_started = true;
  if (call->operation->start(&call->run) == ANNALS_DONE) {
    annals_in_flight_end_operation(&call->context->in_flight);
    return finish(call);
  }
  MHD_suspend_connection(call->connection);
  if (!g_atomic_int_compare_and_exchange(&call->handoff, HANDOFF_RUNNING, HANDOFF_SUSPENDED)) {
    MHD_resume_connection(call->connection);
  }
  return MHD_YES;
}

/* Starts the operation unless too much is under way. */
static enum MHD_Result admit(struct annals_call *call) {
  switch (annals_in_flight_begin_operation(&call->context->in_flight)) {
    case ANNALS_ADMITTED:
      return start(call);
    case ANNALS_ADMISSION_FULL:
      call->run.error = annals_error_new(ANNALS_REASON_OVERLOADED, "too many answers are unread");
      break;
    case ANNALS_ADMISSION_CLOSED:
      call->run.error = annals_error_new(ANNALS_REASON_DRAINING, "the gateway has stopped");
      break;
  }
  return answer(call);
}

/* --- the request --- */

/* Tells whether a request line's target is /, in origin form or in absolute form. */
static bool is_root(const char *target) {
  if (g_ascii_strncasecmp(target, "http://", 7) == 0) {
    target += 7;
    target += strcspn(target, "/?");
    if (*target != '/') {
      return *target == '\0';
    }
  }
  return target[0] == '/' && (target[1] == '\0' || target[1] == '?');
}

/* Takes parameters, such as a charset, as well. */
static bool is_aws_json(const char *content_type) {
  const size_t size = strlen(ANNALS_AWS_JSON_TYPE);
  if (content_type == NULL || g_ascii_strncasecmp(content_type, ANNALS_AWS_JSON_TYPE, size) != 0) {
    return false;
  }
  content_type += size;
  content_type += strspn(content_type, " \t");
  return *content_type == '\0' || *content_type == ';';
}

static const char *header(const struct annals_call *call, const char *name) {
  return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

static bool is_for_operations(const struct annals_call *call, const char *method) {
  return is_root(call->target) && strcmp(method, MHD_HTTP_METHOD_POST) == 0;
}

/* Whether a body belongs to a GET, and to whom, is not the same everywhere: closes. */
static enum MHD_Result refuse_resource(struct annals_call *call) {
  call->close = true;
  return refuse(call, ANNALS_GATEWAY_ERROR_NOT_FOUND, "operations are called with POST /");
}

static bool identify_caller(struct annals_call *call, const char *method) {
  struct annals_sigv4_request request = {
      .method = method,
      .target = call->target,
      .body = call->body.data,
      .body_size = call->body.len,
  };
  bool ok = annals_caller_identify(&call->context->callers, call->connection, &request,
                                   &call->caller, &call->run.error);
  call->run.principal = call->caller.principal;
  return ok;
}

/* From now on the request counts as one for its operation. */
static void meter_operation(struct annals_call *call) {
  annals_series_add(call->meter->under_way, -1);
  call->meter = annals_gateway_meters_of(&call->context->meters, call->operation);
  annals_series_add(call->meter->under_way, 1);
  annals_series_add(call->meter->request_bytes, (int64_t)call->body.len);
}

/* The request is complete. Whether the caller may have what it asks for, the domain asks. */
static enum MHD_Result dispatch(struct annals_call *call, const char *method) {
  leave_body(call, STAGE_RUNNING);
  if (!is_for_operations(call, method)) {
    return refuse_resource(call);
  }
  if (call->discarded_bytes > 0) {
    call->close = true;
    return refuse(call, ANNALS_GATEWAY_ERROR_BODY_TOO_LARGE, "the body is too large");
  }
  if (call->body.failed) {
    call->run.error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for the body");
    return answer(call);
  }
  if (!is_aws_json(header(call, MHD_HTTP_HEADER_CONTENT_TYPE))) {
    return refuse(call, ANNALS_GATEWAY_ERROR_UNKNOWN_OPERATION,
                  "Content-Type is not " ANNALS_AWS_JSON_TYPE);
  }
  call->operation = annals_operation_find(header(call, "X-Amz-Target"), &call->run.error);
  meter_operation(call);
  if (call->operation == NULL || !identify_caller(call, method)) {
    return answer(call);
  }
  bool ok =
      annals_request_parse(&call->run.request, call->body.data, call->body.len, &call->run.error);
  annals_buffer_clear(&call->body);
  return ok ? admit(call) : answer(call);
}

/* What the head says of the body: refuses one that is too large, lets another one come. */
static enum MHD_Result take_lengths(struct annals_call *call, const char *method) {
  const char *length = header(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
  guint64 size = length == NULL ? 0 : g_ascii_strtoull(length, NULL, 10);
  bool asks = header(call, MHD_HTTP_HEADER_EXPECT) != NULL;
  /* Chunks end where libmicrohttpd says, which is lenient and does not show them: nothing that
     follows gets an answer. */
  bool chunked = header(call, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
  call->close = chunked;
  if (size > DISCARD_BYTES_MAX || (asks && size > call->body.max)) {
    call->close = true;
    return refuse(call, ANNALS_GATEWAY_ERROR_BODY_TOO_LARGE, "the body is too large");
  }
  if (asks && !is_for_operations(call, method)) {
    return refuse_resource(call);
  }
  /* With no body to come, libmicrohttpd 0.9.75 would say 100 Continue all the same, and take the
     next request for a part of this one. It closes behind an answer as early as this. */
  if (asks && size == 0 && !chunked) {
    call->close = true;
    return dispatch(call, method);
  }
  return MHD_YES;
}

/* Anything can stand in a request line: what is told of it is of our own words. */
static void tell_request_line(struct annals_call *call, const char *method) {
  static const char *const known[] = {
      MHD_HTTP_METHOD_POST, MHD_HTTP_METHOD_GET,    MHD_HTTP_METHOD_HEAD,  MHD_HTTP_METHOD_OPTIONS,
      MHD_HTTP_METHOD_PUT,  MHD_HTTP_METHOD_DELETE, MHD_HTTP_METHOD_PATCH,
  };
  call->http_method = "_OTHER";
  for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
    if (strcmp(method, known[i]) == 0) {
      call->http_method = known[i];
    }
  }
  call->http_path = is_root(call->target) ? "/" : NULL;
}

/* The head has come. Refuses what must not be read on. */
static enum MHD_Result take_head(struct annals_call *call, const char *method,
                                 const char *version) {
  annals_in_flight_begin_call(&call->context->in_flight);
  call->stage = STAGE_BODY;
  tell_request_line(call, method);
  const char *traceparent = header(call, ANNALS_TRACEPARENT);
  annals_call_log_trace(call->context->call_log, traceparent,
                        traceparent == NULL ? 0 : strlen(traceparent), &call->trace);
  if (annals_head_is_too_large(call->connection)) {
    annals_library_reply_send(call->connection, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
    return MHD_NO;
  }
  const char *problem = annals_head_problem(call->connection, method, call->target, version);
  if (problem != NULL) {
    call->close = true;
    return refuse(call, ANNALS_GATEWAY_ERROR_AMBIGUOUS_HTTP, problem);
  }
  return take_lengths(call, method);
}

static enum MHD_Result take_body(struct annals_call *call, const char *bytes, size_t size) {
  if (call->discarded_bytes > 0 || size > call->body.max - call->body.len) {
    call->discarded_bytes += size;
    if (call->discarded_bytes <= DISCARD_BYTES_MAX) {
      return MHD_YES;
    }
    /* libmicrohttpd queues nothing in the midst of a body. */
    annals_library_reply_send(call->connection, MHD_HTTP_CONTENT_TOO_LARGE);
    return MHD_NO;
  }
  annals_buffer_append(&call->body, bytes, size);
  return MHD_YES;
}

enum MHD_Result annals_call_handle(void *context, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_size, void **call_slot) {
  (void)context;
  (void)connection;
  (void)url; /* decoded: `/%00` would look like `/` */
  struct annals_call *call = *call_slot;
  switch (call->stage) {
    case STAGE_HEAD:
      return take_head(call, method, version);
    case STAGE_BODY:
      if (*upload_size > 0) {
        size_t size = *upload_size;
        *upload_size = 0;
        return take_body(call, upload, size);
      }
      return dispatch(call, method);
    case STAGE_RUNNING:
      return finish(call);
    case STAGE_ANSWERED:
      break;
  }
  *upload_size = 0;
  return MHD_YES;
}

static void end_call(struct annals_call *call) {
  annals_series_add(call->meter->under_way, -1);
  if (call->operation_started) {
    call->operation->clear(&call->run);
  }
  if (call->stage != STAGE_HEAD) {
    leave_body(call, STAGE_ANSWERED);
    annals_in_flight_end_call(&call->context->in_flight, call->reply_bytes);
  }
  g_clear_error(&call->run.error);
  annals_buffer_clear(&call->run.answer);
  annals_request_clear(&call->run.request);
  annals_buffer_clear(&call->body);
  annals_caller_clear(&call->caller);
  g_free(call->request_id);
  g_free(call->target);
  g_free(call);
}

/* The connection's, as socket_context. */
static struct annals_connection *connection_of(struct MHD_Connection *connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* libmicrohttpd 0.9.75 does not tell of the end of a request that it has refused for two reasons,
   cookies and a length, say: the connection ends the call then. */
void annals_call_connection(struct annals_call_context *context, void **socket_context,
                            enum MHD_ConnectionNotificationCode code) {
  struct annals_connection *connection = *socket_context;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    connection = g_new0(struct annals_connection, 1);
    connection->context = context;
    *socket_context = connection;
    return;
  }
  *socket_context = NULL;
  if (connection->call != NULL) {
    end_call(connection->call);
  }
  g_free(connection);
}

void *annals_call_begin(void *context, const char *uri, struct MHD_Connection *connection) {
  struct annals_call *call = g_new0(struct annals_call, 1);
  call->context = context;
  call->connection = connection;
  call->target = g_strdup(uri);
  annals_http_arguments_drop(uri);
  call->request_id = g_uuid_string_random();
  call->started_us = g_get_monotonic_time();
  call->meter = &call->context->meters.other;
  annals_series_add(call->meter->under_way, 1);
  annals_buffer_init(&call->body, call->context->body_bytes_max);
  call->run.history = call->context->history;
  call->run.on_done = on_run_done;
  call->run.hold = hold;
  connection_of(connection)->call = call;
  return call;
}

void annals_call_end(void *context, struct MHD_Connection *connection, void **call_slot,
                     enum MHD_RequestTerminationCode code) {
  (void)context;
  (void)code;
  if (*call_slot == NULL) {
    return;
  }
  end_call(*call_slot);
  *call_slot = NULL;
  connection_of(connection)->call = NULL;
}
