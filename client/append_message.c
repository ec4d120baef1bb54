#include "client/append_message.h"

#include <string.h>

#include "annals/v1/history_service.pb-c.h"
#include "client/call.h"
#include "client/error.h"
#include "proto/wire.h"

/* Field numbers of AppendHistoryEventsRequest. */
enum {
  EXECUTION_ARN = 1,
  EVENTS = 2,
  STATE_MACHINE_ARN = 3,
  MAP_RUN_ARN = 4,
  ITEM_COUNT = 5,
  TRACE_HEADER = 6,
  ENCRYPTION_CONFIGURATION = 7,
};

static void append_text(struct annals_buffer *out, uint32_t number, const char *text) {
  if (text != NULL && text[0] != '\0') {
    annals_wire_append_bytes(out, number, text, strlen(text));
  }
}

static void append_message(struct annals_buffer *out, uint32_t number,
                           const ProtobufCMessage *message) {
  size_t size = protobuf_c_message_get_packed_size(message);
  annals_wire_append_header(out, number, size);
  uint8_t *to = annals_buffer_reserve(out, size);
  if (to != NULL) {
    protobuf_c_message_pack(message, to);
    out->len += size;
  }
}

/* Events go onto the wire as they are: no second tree of them is built. */
static void append_request(struct annals_buffer *out,
                           const struct annals_client_append_request *request) {
  append_text(out, EXECUTION_ARN, request->execution_arn);
  for (size_t i = 0; i < request->event_count; i++) {
    if (request->event_bytes != NULL) {
      const struct annals_client_event *event = &request->event_bytes[i];
      annals_wire_append_bytes(out, EVENTS, event->data, event->size);
    } else {
      append_message(out, EVENTS, &request->events[i]->base);
    }
  }
  append_text(out, STATE_MACHINE_ARN, request->state_machine_arn);
  append_text(out, MAP_RUN_ARN, request->map_run_arn);
  if (request->item_count != 0) {
    annals_wire_append_varint(out, ITEM_COUNT, (uint64_t)(int64_t)request->item_count);
  }
  append_text(out, TRACE_HEADER, request->trace_header);
  if (request->encryption != NULL) {
    append_message(out, ENCRYPTION_CONFIGURATION, &request->encryption->base);
  }
}

bool annals_client_append_pack(const struct annals_client_append_request *request,
                               struct annals_buffer *ret_bytes, GError **error) {
  annals_buffer_init(ret_bytes, ANNALS_CLIENT_REQUEST_BYTES_MAX);
  append_request(ret_bytes, request);
  if (ret_bytes->failed) {
    annals_buffer_clear(ret_bytes);
    annals_client_error_set(error, ANNALS_CLIENT_INVALID_ARGUMENT, "LIMIT_EXCEEDED",
                            "an append is at most %d bytes, its events at most %d",
                            (int)ANNALS_CLIENT_REQUEST_BYTES_MAX,
                            (int)ANNALS_CLIENT_APPEND_BYTES_MAX);
    return false;
  }
  return true;
}

bool annals_client_append_unpack(const uint8_t *bytes, size_t size,
                                 struct annals_client_append_result *ret_result, GError **error) {
  Annals__V1__AppendHistoryEventsResponse *message =
      annals__v1__append_history_events_response__unpack(NULL, size, bytes);
  if (message == NULL) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                            "the server's answer is not an AppendHistoryEventsResponse");
    return false;
  }
  *ret_result = (struct annals_client_append_result){
      .last_event_id = message->last_event_id,
      .appended_count = message->appended_count,
      .already_stored_count = message->already_stored_count,
      .adjusted_timestamp_count = message->adjusted_timestamp_count,
  };
  annals__v1__append_history_events_response__free_unpacked(message, NULL);
  return true;
}
