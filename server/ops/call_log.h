/*
 * How calls stand in the log, with their place in a trace: one line for each that failed or was
 * slow, and for one in so many of the others.
 *
 *   {"…","message":"call failed","request_id":"…","transport":"grpc","method":"…","reason":"…",…}
 *
 * Floor 1. Both transports tell of the end of each call here, and the lines look the same.
 */
#ifndef ANNALS_SERVER_OPS_CALL_LOG_H_
#define ANNALS_SERVER_OPS_CALL_LOG_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/ops/log.h"
#include "server/ops/trace.h"

G_BEGIN_DECLS

struct annals_call_log_options {
  int64_t slow_us;      /* calls that take so long are slow; 0: none is */
  int64_t sample;       /* one in so many is logged that is neither; 0: none */
  int64_t trace_sample; /* one in so many begins a trace that comes without; 0: none */
};

/* What a call was, at its end. Texts that are NULL are left out. */
struct annals_call_summary {
  const char *transport; /* grpc, aws_json */
  const char *method;    /* or the operation */
  const char *request_id;
  const struct annals_trace *trace;
  const char *principal;
  const char *arn;        /* what it was about; logged only if it looks like one */
  const char *reason;     /* NULL: success */
  const char *detail;     /* of a failure that is ours: what clients are not told */
  const char *status_key; /* http_status, grpc_code */
  int64_t status;
  enum annals_log_level level; /* of a failure */
  int64_t started_us;          /* of the monotonic clock */
  bool lasts;                  /* a stream: that it took long says nothing */
  bool is_part;                /* of a call whose span is the parent of this one's */
  const char *http_method;     /* static; NULL: not HTTP */
  const char *http_path;       /* static, or NULL: one that nothing is at */
};

/* What is told of the end of every call that is in a sampled trace, on the call's thread. */
struct annals_span_sink {
  void (*take)(void *context, const struct annals_call_summary *end, int64_t duration_us);
  void *context;
};

/* Copied options, and counters. Zeroed: only failures are logged. */
struct annals_call_log {
  struct annals_call_log_options options;
  struct annals_span_sink spans; /* set before there are calls; zeroed: nobody is told */
  guint calls;                   /* atomic */
  guint traces;                  /* atomic */
};

/*
 * Gives a call its place in a trace: its caller's, by the text of traceparent (NULL: it sent none),
 * or a new one.
 */
void annals_call_log_trace(struct annals_call_log *log, const char *traceparent, size_t size,
                           struct annals_trace *ret_trace);

/* Logs the end of a call, if it is to be logged, and hands on its span. Threads: any. */
void annals_call_log_end(struct annals_call_log *log, const struct annals_call_summary *end);

G_END_DECLS

#endif
