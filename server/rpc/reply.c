#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include "server/history/error.h"
#include "server/rpc/call_internal.h"
#include "server/rpc/meter.h"
#include "server/rpc/report.h"
#include "server/rpc/rpc_status.h"
#include "server/rpc/server_internal.h"

/* More than what an append has done, or why it was refused, takes. */
enum { UNCOUNTED_BYTES_MAX = 512 };

bool annals_rpc_call_hold(struct annals_rpc_call *call, size_t bytes) {
  if (!annals_rpc_server_hold(call->server, bytes)) {
    return false;
  }
  call->held_bytes += bytes;
  return true;
}

void annals_rpc_call_unhold(struct annals_rpc_call *call, size_t bytes) {
  g_assert(call->held_bytes >= bytes);
  call->held_bytes -= bytes;
  annals_rpc_server_release(call->server, bytes);
}

/* That is told however much is held. */
static bool hold(struct annals_rpc_call *call, size_t size) {
  call->message_held_bytes = call->method->standard ? 0 : size;
  if (annals_rpc_call_hold(call, call->message_held_bytes)) {
    return true;
  }
  call->message_held_bytes = 0;
  return size <= UNCOUNTED_BYTES_MAX;
}

bool annals_rpc_call_hold_message(struct annals_rpc_call *call, size_t size) {
  if (!hold(call, size)) {
    return false;
  }
  annals_series_add(call->meter->response_bytes, (int64_t)size);
  return true;
}

grpc_slice annals_rpc_call_take_slice(struct annals_buffer *message) {
  size_t size;
  uint8_t *bytes = annals_buffer_steal(message, &size);
  return grpc_slice_new(bytes, size, g_free);
}

bool annals_rpc_call_put_message(struct annals_rpc_call *call, struct annals_buffer *message) {
  if (message->failed || !annals_rpc_call_hold_message(call, message->len)) {
    annals_buffer_clear(message);
    return false;
  }
  grpc_slice slice = annals_rpc_call_take_slice(message);
  call->message = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  return true;
}

/* In one batch: what has not been sent yet of metadata and message, and the status. */
static void send_end(struct annals_rpc_call *call, int code, const grpc_slice *text,
                     grpc_metadata *trailers, size_t trailer_count) {
  grpc_op ops[3] = {0};
  size_t count = 0;
  if (!call->opened) {
    ops[count].op = GRPC_OP_SEND_INITIAL_METADATA;
    annals_rpc_report_set_metadata(call, &ops[count++]);
  }
  if (call->message != NULL) {
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = call->message;
  }
  ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
  ops[count].data.send_status_from_server.status = (grpc_status_code)code;
  ops[count].data.send_status_from_server.status_details = (grpc_slice *)text;
  ops[count].data.send_status_from_server.trailing_metadata = trailers;
  ops[count++].data.send_status_from_server.trailing_metadata_count = trailer_count;
  g_assert(!call->ended);
  call->ended = true;
  annals_rpc_call_start_batch(call, ops, count, &call->end_tag);
  annals_rpc_call_unref(call);
}

/* Gives back what a unary call was given and has made: the answer may wait for its client as long
 * as that likes, and nobody else waits with it. */
static void drop_work(struct annals_rpc_call *call) {
  if (annals_rpc_call_is_stream(call)) {
    return;
  }
  annals_rpc_call_release_state(call);
  annals_rpc_call_release_request(call);
  annals_rpc_call_unhold(call, call->request_held_bytes);
  call->request_held_bytes = 0;
  (void)!annals_rpc_admission_keep(call);
  annals_rpc_admission_give(call, call->admitted.bytes);
}

/* error: may be the state's. */
void annals_rpc_call_end(struct annals_rpc_call *call, const GError *error) {
  (void)annals_rpc_admission_quit(annals_rpc_server_admission(call->server), call);
  annals_rpc_meter_end(call, error);
  annals_rpc_report_end(call, error);
  if (error == NULL) {
    drop_work(call);
    send_end(call, GRPC_STATUS_OK, NULL, NULL, 0);
    return;
  }
  const struct annals_reason_info *reason = annals_reason_info(annals_error_reason(error));
  g_autofree char *message = annals_rpc_status_message(error);
  size_t size;
  g_autofree uint8_t *details =
      annals_rpc_status_details(error, annals_rpc_report_request_id(call), &size);
  grpc_slice text = grpc_slice_from_copied_string(message);
  grpc_metadata trailer = {
      .key = grpc_slice_from_static_string("grpc-status-details-bin"),
      .value = grpc_slice_from_copied_buffer((const char *)details, size),
  };
  drop_work(call);
  send_end(call, reason->grpc_code, &text, &trailer, 1);
  grpc_slice_unref(text);
  grpc_slice_unref(trailer.value);
}

void annals_rpc_call_reply(struct annals_rpc_call *call, struct annals_buffer *message) {
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_call_put_message(call, message)) {
    error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this answer");
  }
  annals_rpc_call_end(call, error);
}

void annals_rpc_call_fail(struct annals_rpc_call *call, const GError *error) {
  if (!annals_rpc_call_is_stream(call)) {
    annals_rpc_call_end(call, error);
  } else if (!call->ending) {
    call->ending = true;
    call->end_error = g_error_copy(error);
  }
}
