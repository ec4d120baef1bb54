#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>

#include "server/history/error.h"
#include "server/rpc/call_internal.h"
#include "server/rpc/inflate.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/server_internal.h"

enum {
  /* More than any question to health and reflection needs. */
  STANDARD_BYTES_MAX = 4096,
};

static bool refuse_size(GError **error, const char *what, int limit) {
  GError *failure =
      annals_error_new(ANNALS_REASON_LIMIT_EXCEEDED, "request is bigger than %s", what);
  annals_error_add_metadata(failure, "field", "request");
  annals_error_add_metadata(failure, "limit", "%d", limit);
  g_propagate_error(error, failure);
  return false;
}

static bool refuse_packed(GError **error, enum annals_inflate_result why) {
  if (why == ANNALS_INFLATE_NO_MEMORY) {
    return annals_error_set(error, ANNALS_REASON_OVERLOADED, "no memory for this request");
  }
  if (why == ANNALS_INFLATE_TOO_BIG) {
    return refuse_size(error, "allowed when decompressed", ANNALS_RPC_RECEIVE_BYTES_MAX);
  }
  GError *failure =
      annals_error_new(ANNALS_REASON_INVALID_REQUEST, "request cannot be decompressed");
  annals_error_add_metadata(failure, "field", "request");
  g_propagate_error(error, failure);
  return false;
}

/* Counts the message as so many bytes, unless it is one that has to be taken however much is held
 * already. */
static bool count_request(struct annals_rpc_call *call, size_t bytes, GError **error) {
  if (call->method->standard) {
    return bytes <= STANDARD_BYTES_MAX ||
           refuse_size(error, "this method takes", STANDARD_BYTES_MAX);
  }
  size_t counted = call->request_held_bytes;
  if (bytes > counted && !annals_rpc_call_hold(call, bytes - counted)) {
    return annals_error_set(error, ANNALS_REASON_OVERLOADED, "too much is under way already");
  }
  call->request_held_bytes = MAX(bytes, counted);
  return true;
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
    return refuse_packed(error, result);
  }
  size_t size;
  uint8_t *bytes = annals_buffer_steal(&message, &size);
  call->request_slice = grpc_slice_new(bytes, size, g_free);
  return count_request(call, size, error);
}

/* Makes the message one piece of memory. */
static bool gather_request(struct annals_rpc_call *call, GError **error) {
  grpc_byte_buffer_reader reader;
  if (!grpc_byte_buffer_reader_init(&reader, call->payload)) {
    return refuse_packed(error, ANNALS_INFLATE_MALFORMED);
  }
  bool compressed = call->payload->data.raw.compression != GRPC_COMPRESS_NONE;
  call->request_slice = grpc_byte_buffer_reader_readall(&reader);
  grpc_byte_buffer_reader_destroy(&reader);
  g_clear_pointer(&call->payload, grpc_byte_buffer_destroy);
  if (compressed && !inflate_request(call, error)) {
    return false;
  }
  call->request = GRPC_SLICE_START_PTR(call->request_slice);
  call->request_bytes = GRPC_SLICE_LENGTH(call->request_slice);
  annals_series_add(call->meter->request_bytes, (int64_t)call->request_bytes);
  return true;
}

/* Takes what has come, or drops it before it is copied. */
bool annals_rpc_call_take_message(struct annals_rpc_call *call, GError **error) {
  if (call->payload == NULL) {
    return true;
  }
  if (!count_request(call, grpc_byte_buffer_length(call->payload), error)) {
    g_clear_pointer(&call->payload, grpc_byte_buffer_destroy);
    return false;
  }
  return gather_request(call, error);
}

/* What a unary call has been given stays counted to its end: what is kept of its events takes the
 * place of the message. */
void annals_rpc_call_release_request(struct annals_rpc_call *call) {
  grpc_slice_unref(call->request_slice);
  call->request_slice = grpc_empty_slice();
  call->request = NULL;
  call->request_bytes = 0;
  if (annals_rpc_call_is_stream(call)) {
    annals_rpc_call_unhold(call, call->request_held_bytes);
    call->request_held_bytes = 0;
    annals_rpc_admission_give(call, annals_rpc_admission_keep(call));
  }
}

void annals_rpc_call_start_receive(struct annals_rpc_call *call) {
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
  op.data.recv_message.recv_message = &call->payload;
  if (!annals_rpc_call_start_batch(call, &op, 1, &call->receive_tag)) {
    g_autoptr(GError) error = annals_error_new(ANNALS_REASON_INTERNAL, "internal error");
    annals_rpc_call_fail(call, error);
  }
}

void annals_rpc_call_receive(struct annals_rpc_call *call) {
  struct annals_rpc_admission *admission = annals_rpc_server_admission(call->server);
  annals_rpc_call_release_request(call);
  if (!annals_rpc_call_is_stopping(call) &&
      (call->method->standard || annals_rpc_admission_pass(admission, call) ||
       annals_rpc_admission_enter(admission, call))) {
    annals_rpc_call_start_receive(call);
  }
}
