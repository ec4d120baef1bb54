#include "server/rpc/call.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <string.h>

#include "server/history/error.h"
#include "server/ops/log.h"
#include "server/rpc/inflate.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/rpc_status.h"
#include "server/rpc/server_internal.h"

/* Room for a message whose size is not known yet: for all but the few that are refused anyway. */
enum { MESSAGE_BYTES_RESERVED = 4 * 1024 * 1024 };

#define CALL_OF(tag, member) \
  ((struct annals_rpc_call *)((char *)(tag)-offsetof(struct annals_rpc_call, member)))

static void on_accept(struct annals_rpc_tag *tag, bool ok);
static void on_close(struct annals_rpc_tag *tag, bool ok);
static void on_receive(struct annals_rpc_tag *tag, bool ok);
static void on_wake(struct annals_rpc_tag *tag, bool ok);
static void on_reply(struct annals_rpc_tag *tag, bool ok);

/* Gives room back, and lets those in that it is enough for. */
static void leave(struct annals_rpc_server *server, size_t bytes) {
  struct annals_rpc_admission *admission = annals_rpc_server_admission(server);
  struct annals_rpc_call *next;
  while ((next = annals_rpc_admission_leave(admission, bytes, MESSAGE_BYTES_RESERVED)) != NULL) {
    annals_rpc_call_wake(next);
    bytes = 0;
  }
}

static void call_free(struct annals_rpc_call *call) {
  struct annals_rpc_server *server = call->server;
  grpc_call *core = call->call;
  size_t held_bytes = call->held_bytes;
  size_t admitted_bytes = call->admitted_bytes;
  if (call->state != NULL) {
    call->method->release(call);
    g_free(call->state);
  }
  grpc_slice_unref(call->request_slice);
  if (call->payload != NULL) {
    grpc_byte_buffer_destroy(call->payload);
  }
  if (call->reply != NULL) {
    grpc_byte_buffer_destroy(call->reply);
  }
  grpc_metadata_array_destroy(&call->metadata);
  grpc_call_details_destroy(&call->details);
  g_free(call);
  if (core != NULL) {
    grpc_call_unref(core);
  }
  annals_rpc_server_release(server, held_bytes);
  leave(server, admitted_bytes);
  annals_rpc_server_call_ended(server, core != NULL);
}

/* Both references belong to tags of one queue, which has one thread. */
static void call_unref(struct annals_rpc_call *call) {
  if (--call->refs == 0) {
    call_free(call);
  }
}

/*
 * Starts a batch. One that the core refuses never brings its tag, and leaves the call in a state of
 * its own: the call is cancelled, and its close tag ends it.
 */
static void start_batch(struct annals_rpc_call *call, const grpc_op *ops, size_t count,
                        struct annals_rpc_tag *tag) {
  grpc_call_error error = grpc_call_start_batch(call->call, ops, count, tag, NULL);
  if (error != GRPC_CALL_OK) {
    annals_log_error("the core refused a batch",
                     ANNALS_LOG_TEXT("error", grpc_call_error_to_string(error)));
    grpc_call_cancel_with_status(call->call, GRPC_STATUS_INTERNAL, "internal error", NULL);
    call_unref(call);
  }
}

void annals_rpc_call_arm(struct annals_rpc_server *server, const struct annals_rpc_method *method,
                         void *registered, grpc_completion_queue *queue) {
  struct annals_rpc_call *call = g_new0(struct annals_rpc_call, 1);
  call->server = server;
  call->method = method;
  call->registered = registered;
  call->queue = queue;
  call->history = annals_rpc_server_history(server);
  call->accept_tag.on = on_accept;
  call->close_tag.on = on_close;
  call->receive_tag.on = on_receive;
  call->wake_tag.on = on_wake;
  call->reply_tag.on = on_reply;
  call->request_slice = grpc_empty_slice();
  grpc_call_details_init(&call->details);
  grpc_metadata_array_init(&call->metadata);
  annals_rpc_server_call_began(server);
  grpc_server *core = annals_rpc_server_core(server);
  grpc_call_error error =
      method != NULL ? grpc_server_request_registered_call(
                           core, registered, &call->call, &call->deadline, &call->metadata,
                           method->bulky ? NULL : &call->payload, queue, queue, &call->accept_tag)
                     : grpc_server_request_call(core, &call->call, &call->details, &call->metadata,
                                                queue, queue, &call->accept_tag);
  g_assert(error == GRPC_CALL_OK);
}

static bool refuse_message(GError **error, enum annals_inflate_result why) {
  if (why == ANNALS_INFLATE_NO_MEMORY) {
    return annals_error_set(error, ANNALS_REASON_OVERLOADED, "no memory for this request");
  }
  bool too_big = why == ANNALS_INFLATE_TOO_BIG;
  GError *failure = annals_error_new(
      too_big ? ANNALS_REASON_LIMIT_EXCEEDED : ANNALS_REASON_INVALID_REQUEST, "request %s",
      too_big ? "is bigger than allowed when decompressed" : "cannot be decompressed");
  annals_error_add_metadata(failure, "field", "request");
  if (too_big) {
    annals_error_add_metadata(failure, "limit", "%d", ANNALS_RPC_RECEIVE_BYTES_MAX);
  }
  g_propagate_error(error, failure);
  return false;
}

/* Puts what the request's bytes unpack to in their place. */
static bool inflate_request(struct annals_rpc_call *call, GError **error) {
  struct annals_buffer message;
  enum annals_inflate_result result = annals_inflate(GRPC_SLICE_START_PTR(call->request_slice),
                                                     GRPC_SLICE_LENGTH(call->request_slice),
                                                     ANNALS_RPC_RECEIVE_BYTES_MAX, &message);
  grpc_slice_unref(call->request_slice);
  call->request_slice = grpc_empty_slice();
  if (result != ANNALS_INFLATE_OK) {
    annals_buffer_clear(&message);
    return refuse_message(error, result);
  }
  size_t size;
  uint8_t *bytes = annals_buffer_steal(&message, &size);
  call->request_slice = grpc_slice_new(bytes, size, g_free);
  return true;
}

/* Makes the message one piece of memory. */
static bool gather_request(struct annals_rpc_call *call, GError **error) {
  grpc_byte_buffer_reader reader;
  if (call->payload == NULL) {
    return true;
  }
  if (!grpc_byte_buffer_reader_init(&reader, call->payload)) {
    return refuse_message(error, ANNALS_INFLATE_MALFORMED);
  }
  bool compressed = call->payload->data.raw.compression != GRPC_COMPRESS_NONE;
  call->request_slice = grpc_byte_buffer_reader_readall(&reader);
  grpc_byte_buffer_reader_destroy(&reader);
  grpc_byte_buffer_destroy(call->payload);
  call->payload = NULL;
  if (compressed && !inflate_request(call, error)) {
    return false;
  }
  call->request = GRPC_SLICE_START_PTR(call->request_slice);
  call->request_bytes = GRPC_SLICE_LENGTH(call->request_slice);
  return true;
}

void annals_rpc_call_release_request(struct annals_rpc_call *call) {
  grpc_slice_unref(call->request_slice);
  call->request_slice = grpc_empty_slice();
  call->request = NULL;
  call->request_bytes = 0;
}

static bool hold(struct annals_rpc_call *call, size_t bytes) {
  if (!annals_rpc_server_hold(call->server, bytes)) {
    return false;
  }
  call->held_bytes += bytes;
  return true;
}

static void run(struct annals_rpc_call *call) {
  g_autoptr(GError) error = NULL;
  if (!gather_request(call, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  if (!hold(call, call->request_bytes)) {
    error = annals_error_new(ANNALS_REASON_OVERLOADED, "too much is under way already");
    annals_rpc_call_fail(call, error);
    return;
  }
  call->state = g_malloc0(call->method->state_bytes);
  call->method->start(call);
}

/* Receives the message of a call that has been let in. */
static void receive(struct annals_rpc_call *call) {
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
  op.data.recv_message.recv_message = &call->payload;
  call->admitted_bytes = MESSAGE_BYTES_RESERVED;
  start_batch(call, &op, 1, &call->receive_tag);
}

/* Its size is known now: what was reserved beyond it is for others. */
static void on_receive(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *call = CALL_OF(tag, receive_tag);
  size_t size = call->payload != NULL ? grpc_byte_buffer_length(call->payload) : 0;
  (void)ok;
  call->admitted_bytes = MIN(size, (size_t)MESSAGE_BYTES_RESERVED);
  leave(call->server, MESSAGE_BYTES_RESERVED - call->admitted_bytes);
  run(call);
}

static void enter(struct annals_rpc_call *call) {
  struct annals_rpc_admission *admission = annals_rpc_server_admission(call->server);
  call->waiting = true;
  if (annals_rpc_admission_enter(admission, call, MESSAGE_BYTES_RESERVED)) {
    call->waiting = false;
    receive(call);
  }
}

void annals_rpc_call_expire_waits(struct annals_rpc_server *server) {
  struct annals_rpc_admission *admission = annals_rpc_server_admission(server);
  gint64 now_us = g_get_monotonic_time();
  struct annals_rpc_call *next;
  while ((next = annals_rpc_admission_expire(admission, now_us, MESSAGE_BYTES_RESERVED)) != NULL) {
    annals_rpc_call_wake(next);
  }
}

static void reply_draining(struct annals_rpc_call *call);
static void reply_unimplemented(struct annals_rpc_call *call);

static void on_accept(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *call = CALL_OF(tag, accept_tag);
  if (!ok) {
    call_free(call);
    return;
  }
  if (!annals_rpc_server_is_stopping(call->server)) {
    annals_rpc_call_arm(call->server, call->method, call->registered, call->queue);
  }
  annals_rpc_server_call_accepted(call->server);
  call->started_us = g_get_monotonic_time();
  call->refs = 2;
  grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
  op.data.recv_close_on_server.cancelled = &call->cancelled;
  start_batch(call, &op, 1, &call->close_tag);
  if (annals_rpc_server_is_draining(call->server)) {
    reply_draining(call);
  } else if (call->method == NULL) {
    reply_unimplemented(call);
  } else if (call->method->bulky) {
    enter(call);
  } else {
    run(call);
  }
}

static void on_close(struct annals_rpc_tag *tag, bool ok) {
  (void)ok;
  call_unref(CALL_OF(tag, close_tag));
}

void annals_rpc_call_wake(struct annals_rpc_call *call) {
  g_atomic_int_set(&call->woken, 1);
  grpc_call_error error = grpc_call_start_batch(call->call, NULL, 0, &call->wake_tag, NULL);
  g_assert(error == GRPC_CALL_OK);
}

static void on_wake(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *call = CALL_OF(tag, wake_tag);
  (void)ok;
  g_assert(g_atomic_int_get(&call->woken) == 1);
  if (call->waiting) {
    call->waiting = false;
    receive(call);
  } else {
    call->method->resume(call);
  }
}

static void on_reply(struct annals_rpc_tag *tag, bool ok) {
  (void)ok;
  call_unref(CALL_OF(tag, reply_tag));
}

/* The reply in one batch: metadata, message if there is one, status. */
static void send_reply(struct annals_rpc_call *call, int code, const grpc_slice *text,
                       grpc_metadata *trailers, size_t trailer_count) {
  grpc_op ops[3] = {0};
  size_t count = 0;
  ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
  if (call->reply != NULL) {
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = call->reply;
  }
  ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
  ops[count].data.send_status_from_server.status = (grpc_status_code)code;
  ops[count].data.send_status_from_server.status_details = (grpc_slice *)text;
  ops[count].data.send_status_from_server.trailing_metadata = trailers;
  ops[count++].data.send_status_from_server.trailing_metadata_count = trailer_count;
  start_batch(call, ops, count, &call->reply_tag);
}

void annals_rpc_call_reply(struct annals_rpc_call *call, struct annals_buffer *message) {
  if (message->failed || !hold(call, message->len)) {
    g_autoptr(GError) error =
        annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this answer");
    annals_rpc_call_fail(call, error);
    return;
  }
  size_t size;
  uint8_t *bytes = annals_buffer_steal(message, &size);
  grpc_slice slice = grpc_slice_new(bytes, size, g_free);
  call->reply = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  send_reply(call, GRPC_STATUS_OK, NULL, NULL, 0);
}

static void log_failure(const struct annals_rpc_call *call, const GError *error) {
  const struct annals_reason_info *reason = annals_reason_info(annals_error_reason(error));
  enum annals_log_level level = reason->http_status == 500 ? ANNALS_LOG_ERROR : ANNALS_LOG_INFO;
  const struct annals_log_field fields[] = {
      ANNALS_LOG_TEXT("method", call->method != NULL ? call->method->path : NULL),
      ANNALS_LOG_TEXT("reason", reason->name),
      /* Of failures that are the client's the text may quote the request. */
      ANNALS_LOG_TEXT("detail", reason->http_status >= 500 ? annals_error_detail(error) : NULL),
      ANNALS_LOG_NUMBER("duration_us", g_get_monotonic_time() - call->started_us),
  };
  annals_log_write(level, "call failed", fields, G_N_ELEMENTS(fields));
}

void annals_rpc_call_fail(struct annals_rpc_call *call, const GError *error) {
  const struct annals_reason_info *reason = annals_reason_info(annals_error_reason(error));
  g_autofree char *message = annals_rpc_status_message(error);
  size_t size;
  g_autofree uint8_t *details = annals_rpc_status_details(error, &size);
  grpc_slice text = grpc_slice_from_copied_string(message);
  grpc_metadata trailer = {
      .key = grpc_slice_from_static_string("grpc-status-details-bin"),
      .value = grpc_slice_from_copied_buffer((const char *)details, size),
  };
  log_failure(call, error);
  /* The last thing done with the call: a refused batch may free it, and error with it. */
  send_reply(call, reason->grpc_code, &text, &trailer, 1);
  grpc_slice_unref(text);
  grpc_slice_unref(trailer.value);
}

static void reply_draining(struct annals_rpc_call *call) {
  g_autoptr(GError) error = annals_error_new(ANNALS_REASON_DRAINING, "the server is stopping");
  annals_rpc_call_fail(call, error);
}

static void reply_unimplemented(struct annals_rpc_call *call) {
  g_autofree char *path = g_strndup((const char *)GRPC_SLICE_START_PTR(call->details.method),
                                    MIN(GRPC_SLICE_LENGTH(call->details.method), (size_t)200));
  g_autofree char *message = g_strconcat("there is no method ", path, NULL);
  grpc_slice text = grpc_slice_from_copied_string(message);
  send_reply(call, GRPC_STATUS_UNIMPLEMENTED, &text, NULL, 0);
  grpc_slice_unref(text);
}
