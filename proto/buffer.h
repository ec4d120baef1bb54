/*
 * A growable byte buffer with a maximum.
 *
 * Floor 1. For sizes that a request decides: where memory runs out or the maximum is passed, the
 * buffer fails and the request with it, not the process. Failing is sticky: a writer appends
 * without looking and the owner asks once at the end.
 *
 * Invariant: len <= cap <= max; once failed, nothing is appended any more.
 */
#ifndef ANNALS_PROTO_BUFFER_H_
#define ANNALS_PROTO_BUFFER_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

G_BEGIN_DECLS

struct annals_buffer {
  uint8_t *data; /* owned; NULL while nothing was reserved */
  size_t len;
  size_t cap;
  size_t max;
  bool failed;
};

/* Prepares an empty buffer that may hold up to max bytes. Allocates nothing. */
void annals_buffer_init(struct annals_buffer *buffer, size_t max);

/* Frees the bytes and leaves the buffer empty, usable again with the same maximum. */
void annals_buffer_clear(struct annals_buffer *buffer);

/* Empties the buffer and keeps its memory. */
void annals_buffer_reset(struct annals_buffer *buffer);

/* Makes room where there is none yet; what annals_buffer_reserve does not do itself. */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_buffer_grow(struct annals_buffer *buffer, size_t size);

/*
 * Makes room for size more bytes and returns where they go, or NULL when the buffer has failed.
 * The caller writes up to size bytes there and adds what it wrote to len.
 */
G_GNUC_WARN_UNUSED_RESULT
static inline uint8_t *annals_buffer_reserve(struct annals_buffer *buffer, size_t size) {
  if (!buffer->failed && buffer->data != NULL && size <= buffer->cap - buffer->len) {
    return buffer->data + buffer->len;
  }
  return annals_buffer_grow(buffer, size);
}

/* Appends bytes. */
static inline void annals_buffer_append(struct annals_buffer *buffer, const void *bytes,
                                        size_t size) {
  uint8_t *to = annals_buffer_reserve(buffer, size);
  if (to != NULL && size > 0) {
    memcpy(to, bytes, size);
    buffer->len += size;
  }
}

/* Appends one byte. */
static inline void annals_buffer_append_byte(struct annals_buffer *buffer, uint8_t byte) {
  annals_buffer_append(buffer, &byte, 1);
}

/* Appends a string without its NUL. */
void annals_buffer_append_text(struct annals_buffer *buffer, const char *text);

/*
 * Hands the bytes over; the buffer is empty afterwards.
 *
 * Memory: the caller frees the result with g_free(). NULL when nothing was ever reserved.
 */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_buffer_steal(struct annals_buffer *buffer, size_t *ret_len);

G_END_DECLS

#endif
