#include "server/rpc/report.h"

#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>
#include <string.h>

#include "server/history/error.h"
#include "server/ops/call_log.h"
#include "server/rpc/call_internal.h"
#include "server/rpc/server_internal.h"

enum { REQUEST_ID_BYTES_MAX = 128 };

static bool is_request_id(const grpc_slice *value) {
  const uint8_t *bytes = GRPC_SLICE_START_PTR(*value);
  size_t size = GRPC_SLICE_LENGTH(*value);
  for (size_t i = 0; i < size; i++) {
    if (!g_ascii_isgraph(bytes[i])) {
      return false;
    }
  }
  return size >= 1 && size <= REQUEST_ID_BYTES_MAX;
}

void annals_rpc_report_begin(struct annals_rpc_call *call) {
  const grpc_slice *traceparent = NULL;
  for (size_t i = 0; i < call->metadata.count; i++) {
    const grpc_metadata *item = &call->metadata.metadata[i];
    if (grpc_slice_str_cmp(item->key, ANNALS_TRACEPARENT) == 0) {
      traceparent = &item->value;
    } else if (call->request_id == NULL && grpc_slice_str_cmp(item->key, "x-request-id") == 0 &&
               is_request_id(&item->value)) {
      call->request_id = grpc_slice_to_c_string(item->value);
    }
  }
  annals_call_log_trace(
      annals_rpc_server_call_log(call->server),
      traceparent == NULL ? NULL : (const char *)GRPC_SLICE_START_PTR(*traceparent),
      traceparent == NULL ? 0 : GRPC_SLICE_LENGTH(*traceparent), &call->trace);
}

void annals_rpc_report_set_metadata(struct annals_rpc_call *call, grpc_op *op) {
  if (!call->trace.exists) {
    return;
  }
  char text[ANNALS_TRACEPARENT_BYTES + 1];
  annals_trace_format(&call->trace, text);
  call->trace_metadata = (grpc_metadata){
      .key = grpc_slice_from_static_string(ANNALS_TRACEPARENT),
      .value = grpc_slice_from_copied_string(text),
  };
  op->data.send_initial_metadata.metadata = &call->trace_metadata;
  op->data.send_initial_metadata.count = 1;
}

const char *annals_rpc_report_request_id(struct annals_rpc_call *call) {
  if (call->request_id == NULL) {
    g_autofree char *made = g_uuid_string_random();
    call->request_id = gpr_strdup(made);
  }
  return call->request_id;
}

/* Tells whether somebody has to see to the server, its disk or its backups. */
static bool is_trouble(enum annals_reason reason) {
  return annals_reason_info(reason)->http_status == 500 ||
         reason == ANNALS_REASON_OUTCOME_UNKNOWN || reason == ANNALS_REASON_WRITES_STOPPED ||
         reason == ANNALS_REASON_BACKUP_FAILED;
}

/* Clients leave when they like, and when the server stops thousands of streams may end. */
static enum annals_log_level level_of(const struct annals_rpc_call *call, const GError *error) {
  enum annals_reason reason = annals_error_reason(error);
  if (is_trouble(reason)) {
    return ANNALS_LOG_ERROR;
  }
  bool usual = reason == ANNALS_REASON_CANCELLED ||
               (reason == ANNALS_REASON_DRAINING && annals_rpc_call_is_stream(call));
  return usual ? ANNALS_LOG_DEBUG : ANNALS_LOG_INFO;
}

static void report(struct annals_rpc_call *call, const GError *error,
                   struct annals_call_summary *end) {
  end->transport = "grpc";
  end->method = call->method != NULL ? call->method->path : NULL;
  end->request_id = call->request_id;
  if (end->trace == NULL) {
    end->trace = &call->trace;
  }
  end->principal = call->caller.principal != NULL ? call->caller.principal->name : NULL;
  end->status_key = "grpc_code";
  if (error != NULL) {
    const struct annals_reason_info *reason = annals_reason_info(annals_error_reason(error));
    end->request_id = annals_rpc_report_request_id(call);
    end->reason = reason->name;
    end->status = reason->grpc_code;
    end->detail = annals_error_log_detail(error);
    end->level = level_of(call, error);
  }
  annals_call_log_end(annals_rpc_server_call_log(call->server), end);
}

void annals_rpc_report_end(struct annals_rpc_call *call, const GError *error) {
  struct annals_call_summary end = {
      .arn = call->subject,
      .started_us = call->started_us,
      .lasts = annals_rpc_call_is_stream(call),
  };
  report(call, error, &end);
}

void annals_rpc_report_append(struct annals_rpc_call *call, const char *execution_arn,
                              const GError *error, int64_t started_us) {
  struct annals_trace trace = call->trace;
  if (trace.exists) {
    annals_trace_descend(&call->trace, &trace);
  }
  struct annals_call_summary end = {
      .trace = &trace,
      .arn = execution_arn,
      .started_us = started_us,
      .is_part = true,
  };
  report(call, error, &end);
}
