#include "proto/buffer.h"

#include <string.h>

enum { CAP_MIN = 256 };

void annals_buffer_init(struct annals_buffer *buffer, size_t max) {
  *buffer = (struct annals_buffer){.max = max};
}

void annals_buffer_clear(struct annals_buffer *buffer) {
  g_free(buffer->data);
  annals_buffer_init(buffer, buffer->max);
}

void annals_buffer_reset(struct annals_buffer *buffer) {
  buffer->len = 0;
  buffer->failed = false;
}

static bool enlarge(struct annals_buffer *buffer, size_t need) {
  size_t cap = MAX(buffer->cap, (size_t)CAP_MIN);
  while (cap < need) {
    cap *= 2;
  }
  cap = MIN(cap, buffer->max);
  uint8_t *data = g_try_realloc(buffer->data, cap);
  if (data == NULL) {
    return false;
  }
  buffer->data = data;
  buffer->cap = cap;
  return true;
}

uint8_t *annals_buffer_grow(struct annals_buffer *buffer, size_t size) {
  if (buffer->failed || size > buffer->max - buffer->len || !enlarge(buffer, buffer->len + size)) {
    buffer->failed = true;
    return NULL;
  }
  return buffer->data + buffer->len;
}

void annals_buffer_append_text(struct annals_buffer *buffer, const char *text) {
  annals_buffer_append(buffer, text, strlen(text));
}

uint8_t *annals_buffer_steal(struct annals_buffer *buffer, size_t *ret_len) {
  uint8_t *data = buffer->data;
  *ret_len = buffer->len;
  annals_buffer_init(buffer, buffer->max);
  return data;
}
