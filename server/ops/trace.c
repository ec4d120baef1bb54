#include "server/ops/trace.h"

#include <string.h>
#include <sys/random.h>

enum {
  /* Where the fields begin in 00-TRACE_ID-PARENT_ID-FLAGS. */
  TRACE_ID_AT = 3,
  PARENT_ID_AT = 36,
  FLAGS_AT = 53,
  FLAG_SAMPLED = 1,
};

/* Digits are lower case, says the standard. */
static int digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, size_t size, uint8_t *ret_bytes) {
  for (size_t i = 0; i < size; i++) {
    int high = digit(text[2 * i]);
    int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return false;
    }
    ret_bytes[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static bool is_zero(const uint8_t *bytes, size_t size) {
  static const uint8_t zeros[ANNALS_TRACE_ID_BYTES];
  return memcmp(bytes, zeros, size) == 0;
}

/* Reads version and length: what may follow in later versions is left alone. */
static bool has_form(const char *text, size_t size) {
  uint8_t version;
  if (size < ANNALS_TRACEPARENT_BYTES || !read_hex(text, 1, &version) || version == 0xff) {
    return false;
  }
  bool ends = size == ANNALS_TRACEPARENT_BYTES;
  return text[TRACE_ID_AT - 1] == '-' && text[PARENT_ID_AT - 1] == '-' &&
         text[FLAGS_AT - 1] == '-' &&
         (ends || (version > 0 && text[ANNALS_TRACEPARENT_BYTES] == '-'));
}

/* Ids need not be secret, but they must differ between processes that start at once. */
static void make_id(uint8_t *ret_id, size_t size) {
  do {
    if (getrandom(ret_id, size, 0) != (ssize_t)size) {
      for (size_t i = 0; i < size; i++) {
        ret_id[i] = (uint8_t)g_random_int();
      }
    }
  } while (is_zero(ret_id, size));
}

bool annals_trace_continue(const char *traceparent, size_t size, struct annals_trace *ret_trace) {
  struct annals_trace trace = {.exists = true};
  uint8_t flags;
  *ret_trace = (struct annals_trace){0};
  if (!has_form(traceparent, size) ||
      !read_hex(traceparent + TRACE_ID_AT, ANNALS_TRACE_ID_BYTES, trace.trace_id) ||
      !read_hex(traceparent + PARENT_ID_AT, ANNALS_SPAN_ID_BYTES, trace.parent_id) ||
      !read_hex(traceparent + FLAGS_AT, 1, &flags) ||
      is_zero(trace.trace_id, sizeof trace.trace_id) ||
      is_zero(trace.parent_id, sizeof trace.parent_id)) {
    return false;
  }
  trace.sampled = (flags & FLAG_SAMPLED) != 0;
  make_id(trace.span_id, sizeof trace.span_id);
  *ret_trace = trace;
  return true;
}

void annals_trace_descend(const struct annals_trace *trace, struct annals_trace *ret_trace) {
  *ret_trace = *trace;
  memcpy(ret_trace->parent_id, trace->span_id, sizeof ret_trace->parent_id);
  make_id(ret_trace->span_id, sizeof ret_trace->span_id);
}

void annals_trace_begin(struct annals_trace *ret_trace) {
  *ret_trace = (struct annals_trace){.exists = true, .sampled = true};
  make_id(ret_trace->trace_id, sizeof ret_trace->trace_id);
  make_id(ret_trace->span_id, sizeof ret_trace->span_id);
}

void annals_trace_hex(const uint8_t *bytes, size_t size, char *ret_text) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    ret_text[2 * i] = digits[bytes[i] >> 4];
    ret_text[2 * i + 1] = digits[bytes[i] & 15];
  }
  ret_text[2 * size] = '\0';
}

void annals_trace_format(const struct annals_trace *trace,
                         char ret_text[ANNALS_TRACEPARENT_BYTES + 1]) {
  memcpy(ret_text, "00-", TRACE_ID_AT);
  annals_trace_hex(trace->trace_id, ANNALS_TRACE_ID_BYTES, ret_text + TRACE_ID_AT);
  ret_text[PARENT_ID_AT - 1] = '-';
  annals_trace_hex(trace->span_id, ANNALS_SPAN_ID_BYTES, ret_text + PARENT_ID_AT);
  ret_text[FLAGS_AT - 1] = '-';
  g_strlcpy(ret_text + FLAGS_AT, trace->sampled ? "01" : "00", 3);
}
