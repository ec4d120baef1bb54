#include "server/ops/call_log.h"

/* Tells whether a call is the one in so many. */
static bool is_picked(guint *counter, int64_t one_in) {
  return one_in > 0 && g_atomic_int_add((gint *)counter, 1) % one_in == 0;
}

void annals_call_log_trace(struct annals_call_log *log, const char *traceparent, size_t size,
                           struct annals_trace *ret_trace) {
  *ret_trace = (struct annals_trace){0};
  if (traceparent != NULL && annals_trace_continue(traceparent, size, ret_trace)) {
    return;
  }
  if (is_picked(&log->traces, log->options.trace_sample)) {
    annals_trace_begin(ret_trace);
  }
}

static void write_line(const struct annals_call_summary *end, enum annals_log_level level,
                       const char *message, int64_t duration_us) {
  char trace_id[2 * ANNALS_TRACE_ID_BYTES + 1];
  char span_id[2 * ANNALS_SPAN_ID_BYTES + 1];
  g_autofree char *made_id = end->request_id == NULL ? g_uuid_string_random() : NULL;
  bool traced = end->trace != NULL && end->trace->exists;
  if (traced) {
    annals_trace_hex(end->trace->trace_id, ANNALS_TRACE_ID_BYTES, trace_id);
    annals_trace_hex(end->trace->span_id, ANNALS_SPAN_ID_BYTES, span_id);
  }
  const struct annals_log_field fields[] = {
      ANNALS_LOG_TEXT("request_id", made_id != NULL ? made_id : end->request_id),
      ANNALS_LOG_TEXT("trace_id", traced ? trace_id : NULL),
      ANNALS_LOG_TEXT("span_id", traced ? span_id : NULL),
      ANNALS_LOG_TEXT("transport", end->transport),
      ANNALS_LOG_TEXT("principal", end->principal),
      ANNALS_LOG_TEXT("method", end->method),
      /* Anything can stand where an ARN should. */
      ANNALS_LOG_TEXT("arn",
                      end->arn != NULL && g_str_has_prefix(end->arn, "arn:") ? end->arn : NULL),
      ANNALS_LOG_TEXT("reason", end->reason != NULL ? end->reason : "OK"),
      ANNALS_LOG_NUMBER(end->status_key, end->status),
      ANNALS_LOG_TEXT("detail", end->detail),
      ANNALS_LOG_NUMBER("duration_us", duration_us),
  };
  annals_log_write(level, message, fields, G_N_ELEMENTS(fields));
}

void annals_call_log_end(struct annals_call_log *log, const struct annals_call_summary *end) {
  int64_t duration_us = g_get_monotonic_time() - end->started_us;
  if (end->reason != NULL) {
    write_line(end, end->level, "call failed", duration_us);
  } else if (log->options.slow_us > 0 && duration_us >= log->options.slow_us && !end->lasts) {
    write_line(end, ANNALS_LOG_WARNING, "call slow", duration_us);
  } else if (is_picked(&log->calls, log->options.sample)) {
    write_line(end, ANNALS_LOG_INFO, "call", duration_us);
  }
  if (log->spans.take != NULL && end->trace != NULL && end->trace->exists && end->trace->sampled) {
    log->spans.take(log->spans.context, end, duration_us);
  }
}
