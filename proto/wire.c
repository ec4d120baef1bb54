#include "proto/wire.h"

#include <string.h>

/* Takes one of up to eight bytes, with all of them at once. Returns false when it is longer. */
static bool take_eight(struct annals_wire_reader *reader, uint64_t *ret_value) {
  const uint64_t ends = 0x8080808080808080;
  uint64_t value;
  memcpy(&value, reader->at, sizeof value);
  value = GUINT64_FROM_LE(value);
  const uint64_t end = ~value & ends;
  if (end == 0) {
    return false;
  }
  const unsigned last_bit = (unsigned)__builtin_ctzll(end);
  value &= ~ends & (UINT64_MAX >> (63 - last_bit));
  /* Sevens of bits to fourteens, to twenty-eights, to fifty-six. */
  value = (value & 0x007f007f007f007f) | (value & 0x7f007f007f007f00) >> 1;
  value = (value & 0x00003fff00003fff) | (value & 0x3fff00003fff0000) >> 2;
  *ret_value = (value & 0x000000000fffffff) | (value & 0x0fffffff00000000) >> 4;
  reader->at += last_bit / 8 + 1;
  return true;
}

/* Base-128, at most 10 bytes, of which the last holds one bit. */
bool annals_wire_take_long_varint(struct annals_wire_reader *reader, uint64_t *ret_value) {
  if (reader->end - reader->at >= 8 && take_eight(reader, ret_value)) {
    return true;
  }
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 70 && reader->at < reader->end; shift += 7) {
    uint8_t byte = *reader->at++;
    if (shift == 63 && byte > 1) {
      return false;
    }
    value |= (uint64_t)(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      *ret_value = value;
      return true;
    }
  }
  return false;
}

size_t annals_wire_put_varint(uint8_t *to, uint64_t value) {
  size_t n = 0;
  while (value >= 0x80) {
    to[n++] = (uint8_t)(value | 0x80);
    value >>= 7;
  }
  to[n++] = (uint8_t)value;
  return n;
}

static size_t put_tag(uint8_t *to, uint32_t number, enum annals_wire_type type) {
  return annals_wire_put_varint(to, (uint64_t)number << 3 | (uint64_t)type);
}

void annals_wire_append_varint(struct annals_buffer *out, uint32_t number, uint64_t value) {
  uint8_t head[2 * ANNALS_VARINT_BYTES_MAX];
  size_t n = put_tag(head, number, ANNALS_WIRE_VARINT);
  n += annals_wire_put_varint(head + n, value);
  annals_buffer_append(out, head, n);
}

static size_t put_header(uint8_t *to, uint32_t number, size_t size) {
  size_t n = put_tag(to, number, ANNALS_WIRE_BYTES);
  return n + annals_wire_put_varint(to + n, size);
}

void annals_wire_append_header(struct annals_buffer *out, uint32_t number, size_t size) {
  uint8_t head[2 * ANNALS_VARINT_BYTES_MAX];
  annals_buffer_append(out, head, put_header(head, number, size));
}

void annals_wire_append_bytes(struct annals_buffer *out, uint32_t number, const void *bytes,
                              size_t size) {
  annals_wire_append_header(out, number, size);
  annals_buffer_append(out, bytes, size);
}

void annals_wire_wrap(struct annals_buffer *out, size_t start, uint32_t number) {
  if (out->failed) {
    return;
  }
  uint8_t head[2 * ANNALS_VARINT_BYTES_MAX];
  size_t size = out->len - start;
  size_t n = put_header(head, number, size);
  if (annals_buffer_reserve(out, n) == NULL) {
    return;
  }
  memmove(out->data + start + n, out->data + start, size);
  memcpy(out->data + start, head, n);
  out->len += n;
}
