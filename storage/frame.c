#include "storage/frame.h"

enum {
  VARINT_BITS = 7,
  /* Enough for 2^35 - 1, far above any event; longer varints are damage. */
  LENGTH_BYTES_MAX = 5,
};

/* Decodes a length, or an ordinal, at *offset. Only the shortest spelling is a frame's: bytes are
 * compared. */
static bool take_any_length(const uint8_t *bytes, size_t size, size_t *offset,
                            uint64_t *ret_length) {
  uint64_t length = 0;
  for (size_t i = 0; i < LENGTH_BYTES_MAX && *offset + i < size; i++) {
    uint8_t byte = bytes[*offset + i];
    length |= (uint64_t)(byte & 0x7f) << (VARINT_BITS * i);
    if (byte & 0x80) {
      continue;
    }
    if (byte == 0 && i > 0) {
      return false;
    }
    *offset += i + 1;
    *ret_length = length;
    return true;
  }
  return false;
}

/* The same; most are of two bytes. */
static inline bool take_length(const uint8_t *bytes, size_t size, size_t *offset,
                               uint64_t *ret_length) {
  const uint8_t *at = bytes + *offset;
  if (size - *offset >= 2 && at[0] >= 0x80 && at[1] < 0x80 && at[1] > 0) {
    *ret_length = (uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << VARINT_BITS;
    *offset += 2;
    return true;
  }
  return take_any_length(bytes, size, offset, ret_length);
}

bool annals_frame_next(const uint8_t *bytes, size_t size, size_t *offset,
                       struct annals_frame *ret_frame) {
  size_t start = *offset;
  if (start >= size ||
      (bytes[start] != ANNALS_FRAME_TAG && bytes[start] != ANNALS_FRAME_ENCRYPTED_TAG)) {
    return false;
  }
  size_t event = start + 1;
  uint64_t length;
  if (!take_length(bytes, size, &event, &length) || length > size - event) {
    return false;
  }
  size_t end = event + (size_t)length;
  uint64_t data_key = 0;
  if (bytes[start] == ANNALS_FRAME_ENCRYPTED_TAG &&
      (!take_length(bytes, end, &event, &data_key) || data_key == 0)) {
    return false;
  }
  *ret_frame = (struct annals_frame){
      .bytes = bytes + start,
      .size = end - start,
      .event = bytes + event,
      .event_size = end - event,
      .data_key = (int64_t)data_key,
  };
  *offset = end;
  return true;
}

int64_t annals_frame_count(const uint8_t *bytes, size_t size) {
  int64_t count = 0;
  size_t offset = 0;
  struct annals_frame frame;
  while (annals_frame_next(bytes, size, &offset, &frame)) {
    count++;
  }
  return offset == size ? count : -1;
}
