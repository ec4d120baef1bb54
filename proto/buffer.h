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

/*
 * Makes room for size more bytes and returns where they go, or NULL when the buffer has failed.
 * The caller writes up to size bytes there and adds what it wrote to len.
 */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_buffer_reserve(struct annals_buffer *buffer, size_t size);

/* Appends bytes. */
void annals_buffer_append(struct annals_buffer *buffer, const void *bytes, size_t size);

/* Appends one byte. */
void annals_buffer_append_byte(struct annals_buffer *buffer, uint8_t byte);

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
