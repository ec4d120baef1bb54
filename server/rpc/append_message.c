#include "server/rpc/append_message.h"

#include "proto/wire.h"

bool annals_rpc_append_read(struct annals_rpc_call *call, const uint8_t *bytes, size_t size,
                            struct annals_rpc_append *append, GError **error) {
  struct annals_rpc_append_request *request = &append->request;
  if (!annals_rpc_append_request_read(bytes, size, request, error)) {
    return false;
  }
  append->append.request = (struct annals_append_request){
      .principal = call->caller.principal,
      .execution_arn = request->execution_arn,
      .events = (const struct annals_event_bytes *)request->events->data,
      .event_count = request->events->len,
      .state_machine_arn = request->state_machine_arn,
      .map_run_arn = request->map_run_arn,
      .item_count = request->item_count,
      .trace_header = request->trace_header,
      .encryption = request->encryption,
  };
  append->append.cancel = &call->cancel;
  return true;
}

void annals_rpc_append_clear(struct annals_rpc_append *append) {
  annals_append_clear(&append->append);
  annals_rpc_append_request_clear(&append->request);
}

void annals_rpc_append_count(const struct annals_append *append,
                             const struct annals_rpc_call *call) {
  annals_series_add(call->meter->events_appended, append->appended_count);
  annals_series_add(call->meter->events_already_stored, append->already_stored_count);
}

static void append_count(struct annals_buffer *out, uint32_t number, int64_t value) {
  if (value != 0) {
    annals_wire_append_varint(out, number, (uint64_t)value);
  }
}

void annals_rpc_append_encode(const struct annals_append *append, struct annals_buffer *out) {
  append_count(out, 1, append->last_event_id);
  append_count(out, 2, append->appended_count);
  append_count(out, 3, append->already_stored_count);
  append_count(out, 4, append->adjusted_timestamp_count);
}
