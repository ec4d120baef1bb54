/*
 * Writing JSON into a buffer, with one look at the room for many bytes.
 *
 * Floor 1, private to the codecs. A writer asks for room once for a key and its value and then
 * writes without looking, also beyond what it keeps: short texts are copied as whole blocks.
 */
#ifndef ANNALS_PROTO_JSON_WRITER_H_
#define ANNALS_PROTO_JSON_WRITER_H_

#include <string.h>

#include "proto/buffer.h"
#include "proto/json_escape.h"

G_BEGIN_DECLS

enum {
  ANNALS_JSON_NUMBER_BYTES_MAX = 32, /* an int64, or a timestamp of 12 digits with decimals */
  /* Longer texts are escaped in pieces, as room for the worst case is asked for each. */
  ANNALS_JSON_PIECE_BYTES = 2048,
};

/* Between init and end the buffer's len is the writer's. */
struct annals_json_writer {
  struct annals_buffer *out;
  uint8_t *at;  /* where the next byte goes */
  uint8_t *end; /* of the room that there is */
};

/* Begins behind what out holds. out->data may be NULL. */
static inline void annals_json_writer_init(struct annals_json_writer *writer,
                                           struct annals_buffer *out) {
  const bool usable = out->data != NULL && !out->failed;
  writer->out = out;
  writer->at = usable ? out->data + out->len : NULL;
  writer->end = usable ? out->data + out->cap : NULL;
}

/* Tells how much the buffer holds by now. */
static inline size_t annals_json_writer_size(const struct annals_json_writer *writer) {
  return writer->at == NULL ? writer->out->len : (size_t)(writer->at - writer->out->data);
}

/* Makes what was written the buffer's. */
static inline void annals_json_writer_end(struct annals_json_writer *writer) {
  writer->out->len = annals_json_writer_size(writer);
}

/* What annals_json_writer_room does not do itself. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_json_writer_grow(struct annals_json_writer *writer, size_t size);

/* Makes room for size bytes. Returns false, the buffer having failed, when it cannot be had. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool annals_json_writer_room(struct annals_json_writer *writer, size_t size) {
  return size <= (size_t)(writer->end - writer->at) || annals_json_writer_grow(writer, size);
}

/* Writes one byte, for which there is room. */
static inline void annals_json_writer_byte(struct annals_json_writer *writer, char byte) {
  *writer->at++ = (uint8_t)byte;
}

/* Writes the first size bytes of a block, for which there is room as a whole. */
#define ANNALS_JSON_WRITER_BLOCK(writer, block, size) \
  (memcpy((writer)->at, (block), sizeof(block)), (void)((writer)->at += (size)))

/* Writes a number, for which there is room. */
void annals_json_writer_int(struct annals_json_writer *writer, int64_t value);

/* Writes .58 for 580 of 3 digits, nothing for 0; there is room. */
void annals_json_writer_fraction(struct annals_json_writer *writer, unsigned fraction,
                                 size_t digits);

/* What annals_json_writer_text does not do itself. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_json_writer_long_text(struct annals_json_writer *writer, const uint8_t *text,
                                  size_t size);

/* Writes text as it stands between quotes, having made room for it. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool annals_json_writer_text(struct annals_json_writer *writer, const uint8_t *text,
                                           size_t size) {
  if (size > ANNALS_JSON_PIECE_BYTES ||
      ANNALS_JSON_ESCAPE_BYTES_MAX * size + ANNALS_JSON_ESCAPE_SLACK >
          (size_t)(writer->end - writer->at)) {
    return annals_json_writer_long_text(writer, text, size);
  }
  writer->at = annals_json_escape(writer->at, text, size);
  return true;
}

G_END_DECLS

#endif
