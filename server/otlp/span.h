/*
 * What is kept of a call that has ended, until it is exported.
 *
 * Floor 1. A copy, as the call is gone by then. Texts of clients are cut to ANNALS_SPAN_TEXT_BYTES.
 */
#ifndef ANNALS_SERVER_OTLP_SPAN_H_
#define ANNALS_SERVER_OTLP_SPAN_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/ops/call_log.h"

G_BEGIN_DECLS

enum { ANNALS_SPAN_TEXT_BYTES = 1024 };

/* Texts are UTF-8, and NULL where nothing is known. */
struct annals_span {
  struct annals_trace trace;
  int64_t start_us; /* since 1970 */
  int64_t end_us;
  bool is_http; /* else gRPC */
  bool is_part;
  int64_t status; /* of HTTP or gRPC */
  char *method;   /* a gRPC path, or an operation of AWS's */
  char *request_id;
  char *principal;
  char *arn;
  char *detail;
  const char *reason; /* static, as the next two; NULL: success */
  const char *http_method;
  const char *http_path;
};

/* Copies what is known of a call that ended at end_us, in microseconds since 1970. */
struct annals_span *annals_span_new(const struct annals_call_summary *end, int64_t duration_us,
                                    int64_t end_us);
/* NULL is fine. */
void annals_span_free(struct annals_span *span);

/*
 * Tells whether a span counts as failed: a failure is the server's, and not its client's.
 *
 * Source: OpenTelemetry's semantic conventions for HTTP and gRPC, of spans of servers.
 */
bool annals_span_is_error(const struct annals_span *span);

G_END_DECLS

#endif
