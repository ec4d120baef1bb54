/*
 * Reading and writing protobuf's wire format, field by field, without objects.
 *
 * Floor 1. Source: protobuf's encoding guide. Groups are refused: proto3 has none.
 */
#ifndef ANNALS_PROTO_WIRE_H_
#define ANNALS_PROTO_WIRE_H_

#include "proto/buffer.h"

G_BEGIN_DECLS

enum annals_wire_type {
  ANNALS_WIRE_VARINT = 0,
  ANNALS_WIRE_FIXED64 = 1,
  ANNALS_WIRE_BYTES = 2,
  ANNALS_WIRE_FIXED32 = 5,
};

enum {
  ANNALS_VARINT_BYTES_MAX = 10,
  ANNALS_FIELD_NUMBER_MAX = 536870911, /* 2^29 - 1 */
};

/* A view of a message's bytes that are still to be read. */
struct annals_wire_reader {
  const uint8_t *at;
  const uint8_t *end;
};

/* One field as it stands on the wire. */
struct annals_wire_field {
  uint32_t number;
  enum annals_wire_type type;
  uint64_t varint;      /* VARINT */
  const uint8_t *bytes; /* BYTES: a view into the message. FIXED: 8 or 4 bytes */
  size_t size;
};

enum annals_wire_result { ANNALS_WIRE_FIELD, ANNALS_WIRE_END, ANNALS_WIRE_MALFORMED };

/* Takes a varint of more than two bytes; what annals_wire_take_varint does not do itself. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_wire_take_long_varint(struct annals_wire_reader *reader, uint64_t *ret_value);

/* Takes a varint. Returns false when it is not whole, or longer than 64 bits. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool annals_wire_take_varint(struct annals_wire_reader *reader, uint64_t *ret_value) {
  const uint8_t *at = reader->at;
  if (at < reader->end && at[0] < 0x80) {
    *ret_value = at[0];
    reader->at = at + 1;
    return true;
  }
  if (reader->end - at >= 2 && at[1] < 0x80) {
    *ret_value = (uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7;
    reader->at = at + 2;
    return true;
  }
  return annals_wire_take_long_varint(reader, ret_value);
}

/* Takes size bytes, as a view, for a field of type BYTES. Returns false when there are fewer. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool annals_wire_take_bytes(struct annals_wire_reader *reader, uint64_t size,
                                          struct annals_wire_field *field) {
  if (size > (uint64_t)(reader->end - reader->at)) {
    return false;
  }
  field->bytes = reader->at;
  field->size = (size_t)size;
  reader->at += size;
  return true;
}

/* Takes the next field. After END or MALFORMED nothing more is to be had. */
G_GNUC_WARN_UNUSED_RESULT
static inline enum annals_wire_result annals_wire_next(struct annals_wire_reader *reader,
                                                       struct annals_wire_field *ret_field) {
  uint64_t tag;
  uint64_t varint = 0;
  uint64_t size = 0;
  if (reader->at == reader->end) {
    return ANNALS_WIRE_END;
  }
  if (!annals_wire_take_varint(reader, &tag) || (tag >> 3) - 1 >= ANNALS_FIELD_NUMBER_MAX) {
    return ANNALS_WIRE_MALFORMED;
  }
  const unsigned type = tag & 7;
  if (type == ANNALS_WIRE_BYTES || type == ANNALS_WIRE_VARINT) {
    if (!annals_wire_take_varint(reader, type == ANNALS_WIRE_BYTES ? &size : &varint)) {
      return ANNALS_WIRE_MALFORMED;
    }
  } else if (type == ANNALS_WIRE_FIXED64 || type == ANNALS_WIRE_FIXED32) {
    size = type == ANNALS_WIRE_FIXED64 ? 8 : 4;
  } else {
    return ANNALS_WIRE_MALFORMED;
  }
  if (!annals_wire_take_bytes(reader, size, ret_field)) {
    return ANNALS_WIRE_MALFORMED;
  }
  ret_field->number = (uint32_t)(tag >> 3);
  ret_field->type = (enum annals_wire_type)type;
  ret_field->varint = varint;
  return ANNALS_WIRE_FIELD;
}

/* Writes value at to, which has room for ANNALS_VARINT_BYTES_MAX, and returns its length. */
size_t annals_wire_put_varint(uint8_t *to, uint64_t value);

/* Appends a field of type VARINT. */
void annals_wire_append_varint(struct annals_buffer *out, uint32_t number, uint64_t value);

/* Appends tag and length of a field of type BYTES; size bytes are to follow. */
void annals_wire_append_header(struct annals_buffer *out, uint32_t number, size_t size);

/* Appends a field of type BYTES. */
void annals_wire_append_bytes(struct annals_buffer *out, uint32_t number, const void *bytes,
                              size_t size);

/*
 * Turns all bytes appended since out->len was start into one field of type BYTES: its tag and
 * length go before them.
 */
void annals_wire_wrap(struct annals_buffer *out, size_t start, uint32_t number);

G_END_DECLS

#endif
