/*
 * Exports the spans of sampled calls by OTLP over HTTP, on a thread of its own.
 *
 * Floor 1. Calls put their spans into a queue and go on; when it is full, spans are dropped, and
 * counted. The thread posts up to 512 of them at a time, when there are so many or when the first
 * has waited for half a second. It repeats what the receiver could not take (no answer, 429, 502,
 * 503, 504), later each time, or after Retry-After, for a minute at most; other answers are final.
 * Spans that nobody took are counted as failed. What goes wrong is logged when it begins and when
 * it is over.
 *
 *              put            full, by number or time        2xx
 *   (call) ─────────▶ queue ─────────────────────────▶ post ─────▶ exported
 *              │ full                                  ▲  │ │ other, or a minute is over
 *              ▼                                 later └──┘ └────▶ failed
 *           dropped
 *
 * Source: https://opentelemetry.io/docs/specs/otlp/ (OTLP/HTTP, binary protobuf).
 */
#ifndef ANNALS_SERVER_OTLP_EXPORTER_H_
#define ANNALS_SERVER_OTLP_EXPORTER_H_

#include <glib.h>
#include <stdbool.h>

#include "server/ops/call_log.h"
#include "server/ops/metrics.h"
#include "server/otlp/settings.h"

G_BEGIN_DECLS

struct annals_otlp_exporter;

/* Times are in microseconds; 0 stands for what is said behind them. */
struct annals_otlp_exporter_options {
  struct annals_otlp_settings *settings; /* emptied: the exporter's from then on */
  const char *grpc_address;              /* HOST:PORT, where it listens */
  const char *gateway_address;
  bool gateway_tls;
  struct annals_metrics *metrics; /* must outlive the exporter */
  guint spans_max;                /* in the queue: 8192 */
  int64_t linger_us;              /* half a second */
  int64_t retry_us;               /* before the first repetition: a second, doubled up to 30 */
  int64_t give_up_us;             /* a minute */
  int64_t timeout_us;             /* of one request: 10 seconds */
  int64_t drain_us;               /* for what is left at the end: 2 seconds */
};

/*
 * Starts the thread. Nothing is sent before there are spans.
 *
 * Memory: the caller frees the exporter.
 * Errors: G_OPTION_ERROR, one line; G_FILE_ERROR, when no thread can be had.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_otlp_exporter *annals_otlp_exporter_new(
    const struct annals_otlp_exporter_options *options, GError **error);

/* Exports what is left, for as long as drain_us, ends the thread and frees. NULL is fine. */
void annals_otlp_exporter_free(struct annals_otlp_exporter *exporter);

/* Gives what calls are to tell their ends to. NULL is fine: nobody is told. */
struct annals_span_sink annals_otlp_exporter_sink(struct annals_otlp_exporter *exporter);

/* Reads the file of headers again. Errors: one line; the headers are then as they were. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_otlp_exporter_reload(struct annals_otlp_exporter *exporter, GError **error);

G_END_DECLS

#endif
