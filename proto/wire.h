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

/* Takes the next field. After END or MALFORMED nothing more is to be had. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_wire_result annals_wire_next(struct annals_wire_reader *reader,
                                         struct annals_wire_field *ret_field);

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
