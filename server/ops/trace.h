/*
 * W3C trace context: where a call stands in the trace of its caller.
 *
 * Floor 1. Source: https://www.w3.org/TR/trace-context/ (level 1, version 00; later versions are
 * read as far as they say the same).
 */
#ifndef ANNALS_SERVER_OPS_TRACE_H_
#define ANNALS_SERVER_OPS_TRACE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ANNALS_TRACEPARENT "traceparent" /* the header, and the key of gRPC's metadata */

enum {
  ANNALS_TRACE_ID_BYTES = 16,
  ANNALS_SPAN_ID_BYTES = 8,
  ANNALS_TRACEPARENT_BYTES = 55,
};

/* Zeroed: the call belongs to no trace. */
struct annals_trace {
  uint8_t trace_id[ANNALS_TRACE_ID_BYTES];
  uint8_t parent_id[ANNALS_SPAN_ID_BYTES]; /* the caller's span; zeros: the trace begins here */
  uint8_t span_id[ANNALS_SPAN_ID_BYTES];   /* of this call */
  bool exists;
  bool sampled; /* as the caller says, for what it calls next */
};

/*
 * Takes up the caller's trace, with a span of our own in it. Returns false, with a zeroed trace,
 * for text that is not a traceparent: it is then as if there were none, as the standard says.
 */
bool annals_trace_continue(const char *traceparent, size_t size, struct annals_trace *ret_trace);

/* Gives a part of a call a place of its own, below the call's. */
void annals_trace_descend(const struct annals_trace *trace, struct annals_trace *ret_trace);

/* Begins a trace, which is sampled. */
void annals_trace_begin(struct annals_trace *ret_trace);

/* Writes the traceparent with our span in it, for the caller and what it calls next. */
void annals_trace_format(const struct annals_trace *trace,
                         char ret_text[ANNALS_TRACEPARENT_BYTES + 1]);

/* Writes bytes as lower-case hexadecimal digits and a NUL. */
void annals_trace_hex(const uint8_t *bytes, size_t size, char *ret_text);

G_END_DECLS

#endif
