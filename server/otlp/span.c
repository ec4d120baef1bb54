#include "server/otlp/span.h"

#include <string.h>

/* Anything can stand where an ARN should: bytes that are no text, too. */
static char *copy_text(const char *text) {
  return text == NULL ? NULL
                      : g_utf8_make_valid(text, (gssize)strnlen(text, ANNALS_SPAN_TEXT_BYTES));
}

struct annals_span *annals_span_new(const struct annals_call_summary *end, int64_t duration_us,
                                    int64_t end_us) {
  struct annals_span *span = g_new0(struct annals_span, 1);
  *span = (struct annals_span){
      .trace = *end->trace,
      .start_us = end_us - duration_us,
      .end_us = end_us,
      .is_http = end->http_method != NULL,
      .is_part = end->is_part,
      .status = end->status,
      .method = copy_text(end->method),
      .request_id = copy_text(end->request_id),
      .principal = copy_text(end->principal),
      .arn = end->arn != NULL && g_str_has_prefix(end->arn, "arn:") ? copy_text(end->arn) : NULL,
      .detail = copy_text(end->detail),
      .reason = end->reason,
      .http_method = end->http_method,
      .http_path = end->http_path,
  };
  return span;
}

void annals_span_free(struct annals_span *span) {
  if (span == NULL) {
    return;
  }
  g_free(span->method);
  g_free(span->request_id);
  g_free(span->principal);
  g_free(span->arn);
  g_free(span->detail);
  g_free(span);
}

bool annals_span_is_error(const struct annals_span *span) {
  /* UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS */
  static const unsigned grpc_codes = 1U << 2 | 1U << 4 | 1U << 12 | 1U << 13 | 1U << 14 | 1U << 15;
  if (span->is_http) {
    return span->status >= 500;
  }
  return span->status >= 0 && span->status < 32 && (grpc_codes >> span->status & 1) != 0;
}
