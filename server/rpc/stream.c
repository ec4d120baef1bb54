#include <grpc/byte_buffer.h>

#include "server/history/error.h"
#include "server/rpc/call_internal.h"
#include "server/rpc/report.h"
#include "server/rpc/server_internal.h"

static bool is_cancelled(const struct annals_rpc_call *call) {
  return annals_cancel_is_due(&call->cancel);
}

bool annals_rpc_call_is_stopping(const struct annals_rpc_call *call) {
  return call->ending || call->stopping || is_cancelled(call);
}

bool annals_rpc_call_is_sending(const struct annals_rpc_call *call) {
  return call->sending;
}

/* --- beginning --- */

void annals_rpc_stream_enter(struct annals_rpc_call *call) {
  call->listed = true;
  annals_rpc_server_add_stream(call->server, &call->link);
  if (annals_rpc_server_is_draining(call->server)) {
    call->stopping = true; /* it was not listed yet when the server told all streams */
  }
}

/* A client may want to know that its stream has begun long before there is a message. */
void annals_rpc_stream_open(struct annals_rpc_call *call) {
  if (!call->opened && !annals_rpc_call_is_stopping(call)) {
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    annals_rpc_report_set_metadata(call, &op);
    call->opened = true;
    annals_rpc_call_start_batch(call, &op, 1, &call->open_tag);
  }
}

/* --- messages --- */

static void send(struct annals_rpc_call *call, struct annals_buffer *message, uint32_t flags) {
  g_assert(!call->sending && !call->ended);
  if (is_cancelled(call)) {
    annals_buffer_clear(message);
    return;
  }
  if (!annals_rpc_call_put_message(call, message)) {
    g_autoptr(GError) error =
        annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this message");
    annals_rpc_call_fail(call, error);
    return;
  }
  grpc_op ops[2] = {0};
  size_t count = 0;
  if (!call->opened) {
    ops[count].op = GRPC_OP_SEND_INITIAL_METADATA;
    annals_rpc_report_set_metadata(call, &ops[count++]);
    call->opened = true;
  }
  ops[count].op = GRPC_OP_SEND_MESSAGE;
  ops[count].flags = flags;
  ops[count++].data.send_message.send_message = call->message;
  call->sending = annals_rpc_call_start_batch(call, ops, count, &call->send_tag);
}

void annals_rpc_call_send(struct annals_rpc_call *call, struct annals_buffer *message) {
  send(call, message, 0);
}

void annals_rpc_call_send_ahead(struct annals_rpc_call *call, struct annals_buffer *message) {
  send(call, message, GRPC_WRITE_BUFFER_HINT);
}

void annals_rpc_stream_on_sent(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_call *call = ANNALS_RPC_CALL_OF(tag, send_tag);
  call->sending = false;
  g_clear_pointer(&call->message, grpc_byte_buffer_destroy);
  annals_rpc_call_unhold(call, call->message_held_bytes);
  call->message_held_bytes = 0;
  if (ok && !call->ending && !is_cancelled(call)) {
    call->method->on_sent(call);
  }
  annals_rpc_stream_settle(call);
  annals_rpc_call_unref(call);
}

/* --- ending --- */

void annals_rpc_call_finish(struct annals_rpc_call *call) {
  call->ending = true;
}

void annals_rpc_stream_stop(struct annals_rpc_call *call) {
  call->stopping = true;
  if (call->sending && annals_rpc_server_is_hurrying(call->server)) {
    grpc_call_cancel_with_status(call->core, GRPC_STATUS_UNAVAILABLE, "the server is stopping",
                                 NULL);
  }
}

/* Why it ends: as the method wants, because nobody waits, or because the server stops. */
static GError *why(struct annals_rpc_call *call) {
  if (call->ending) {
    return g_steal_pointer(&call->end_error);
  }
  return is_cancelled(call) ? annals_cancel_error(&call->cancel)
                            : annals_error_new(ANNALS_REASON_DRAINING, "the server is stopping");
}

void annals_rpc_stream_settle(struct annals_rpc_call *call) {
  if (call->ended || call->sending || call->busy > 0 || !annals_rpc_call_is_stream(call) ||
      !annals_rpc_call_is_stopping(call)) {
    return;
  }
  if (call->listed) {
    call->listed = false;
    annals_rpc_server_remove_stream(call->server, &call->link);
  }
  if (call->state != NULL && call->method->detach != NULL) {
    call->method->detach(call);
  }
  g_clear_pointer(&call->message, grpc_byte_buffer_destroy); /* if the core has refused it */
  g_autoptr(GError) error = why(call);
  annals_rpc_call_end(call, error);
}
