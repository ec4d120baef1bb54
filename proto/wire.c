#include "proto/wire.h"

#include <string.h>

/* Base-128, at most 10 bytes, of which the last holds one bit. */
static bool read_varint(struct annals_wire_reader *reader, uint64_t *ret_value) {
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

static bool read_bytes(struct annals_wire_reader *reader, uint64_t size,
                       struct annals_wire_field *field) {
  if (size > (uint64_t)(reader->end - reader->at)) {
    return false;
  }
  field->bytes = reader->at;
  field->size = (size_t)size;
  reader->at += size;
  return true;
}

static bool read_value(struct annals_wire_reader *reader, struct annals_wire_field *field) {
  uint64_t size;
  switch (field->type) {
    case ANNALS_WIRE_VARINT:
      return read_varint(reader, &field->varint);
    case ANNALS_WIRE_FIXED64:
      return read_bytes(reader, 8, field);
    case ANNALS_WIRE_BYTES:
      return read_varint(reader, &size) && read_bytes(reader, size, field);
    case ANNALS_WIRE_FIXED32:
      return read_bytes(reader, 4, field);
  }
  return false;
}

enum annals_wire_result annals_wire_next(struct annals_wire_reader *reader,
                                         struct annals_wire_field *ret_field) {
  if (reader->at == reader->end) {
    return ANNALS_WIRE_END;
  }
  uint64_t tag;
  if (!read_varint(reader, &tag) || (tag >> 3) == 0 || (tag >> 3) > ANNALS_FIELD_NUMBER_MAX) {
    return ANNALS_WIRE_MALFORMED;
  }
  struct annals_wire_field field = {
      .number = (uint32_t)(tag >> 3),
      .type = (enum annals_wire_type)(tag & 7),
  };
  if (!read_value(reader, &field)) {
    return ANNALS_WIRE_MALFORMED;
  }
  *ret_field = field;
  return ANNALS_WIRE_FIELD;
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
