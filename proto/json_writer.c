#include "proto/json_writer.h"

enum { TIGHT_PIECE_BYTES = 64 };

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

bool annals_json_writer_grow(struct annals_json_writer *writer, size_t size) {
  annals_json_writer_end(writer);
  if (annals_buffer_reserve(writer->out, size) == NULL) {
    return false;
  }
  annals_json_writer_init(writer, writer->out);
  return true;
}

static size_t count_digits(uint64_t value) {
  size_t count = 1;
  for (; value >= 10000; value /= 10000) {
    count += 4;
  }
  return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

void annals_json_writer_int(struct annals_json_writer *writer, int64_t value) {
  uint64_t rest = (uint64_t)value;
  if (rest < 100) { /* ids of short histories, lengths, and what is 0 */
    const size_t digits = 1 + (rest >= 10);
    memcpy(writer->at, &pairs[rest * 2 + 2 - digits], 2);
    writer->at += digits;
    return;
  }
  if (value < 0) {
    annals_json_writer_byte(writer, '-');
    rest = -rest;
  }
  uint8_t *first = writer->at;
  uint8_t *at = first + count_digits(rest);
  writer->at = at;
  for (; rest >= 10; rest /= 100) {
    at -= 2;
    memcpy(at, &pairs[rest % 100 * 2], 2);
  }
  if (at > first) {
    *first = (uint8_t)('0' + rest);
  }
}

void annals_json_writer_fraction(struct annals_json_writer *writer, unsigned fraction,
                                 size_t digits) {
  if (fraction == 0) {
    return;
  }
  for (; fraction % 10 == 0; fraction /= 10) {
    digits--;
  }
  annals_json_writer_byte(writer, '.');
  for (size_t i = digits; i > 0; i--) {
    writer->at[i - 1] = (uint8_t)('0' + fraction % 10);
    fraction /= 10;
  }
  writer->at += digits;
}

/* Close to the buffer's maximum: asks for what the piece takes, not for what it could take. */
static bool put_tight(struct annals_json_writer *writer, const uint8_t *text, size_t size) {
  uint8_t piece[TIGHT_PIECE_BYTES * ANNALS_JSON_ESCAPE_BYTES_MAX + ANNALS_JSON_ESCAPE_SLACK];
  size_t escaped = (size_t)(annals_json_escape(piece, text, size) - piece);
  if (!annals_json_writer_room(writer, escaped)) {
    return false;
  }
  memcpy(writer->at, piece, escaped);
  writer->at += escaped;
  return true;
}

bool annals_json_writer_long_text(struct annals_json_writer *writer, const uint8_t *text,
                                  size_t size) {
  while (size > 0) {
    size_t piece = MIN(size, ANNALS_JSON_PIECE_BYTES);
    size_t room = ANNALS_JSON_ESCAPE_BYTES_MAX * piece + ANNALS_JSON_ESCAPE_SLACK;
    annals_json_writer_end(writer);
    if (room > writer->out->max - writer->out->len) {
      piece = MIN(size, TIGHT_PIECE_BYTES);
      if (!put_tight(writer, text, piece)) {
        return false;
      }
    } else if (annals_json_writer_room(writer, room)) {
      writer->at = annals_json_escape(writer->at, text, piece);
    } else {
      return false;
    }
    text += piece;
    size -= piece;
  }
  return true;
}
