#include "client/batch.h"

#include "proto/wire.h"

/* Tag, length and bytes: what an event takes in the request. */
static size_t framed_size(size_t size) {
  uint8_t length[ANNALS_VARINT_BYTES_MAX];
  return 1 + annals_wire_put_varint(length, size) + size;
}

size_t annals_batch_length(const struct annals_client_event *events, size_t count) {
  size_t bytes = 0;
  size_t n = 0;
  for (; n < count && n < ANNALS_CLIENT_APPEND_EVENTS_MAX; n++) {
    bytes += framed_size(events[n].size);
    if (bytes > ANNALS_CLIENT_APPEND_BYTES_MAX && n > 0) {
      break;
    }
  }
  return n;
}
