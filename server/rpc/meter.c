#include "server/rpc/meter.h"

#include <string.h>

#include "proto/grpc_code.h"
#include "server/history/error.h"
#include "server/rpc/connections.h"
#include "server/rpc/methods.h"
#include "server/rpc/server_internal.h"

enum {
  METHODS_MAX = 24,
  OUTCOMES = 1 + ANNALS_REASON_COUNT, /* success, and each reason */
};

static const char transport[] = "grpc";
static const char own_package[] = "/annals.v1.";

struct annals_rpc_meters {
  struct annals_metrics *metrics;
  struct annals_rpc_server *server;              /* NULL: not watched */
  struct annals_call_meter methods[METHODS_MAX]; /* in the order of annals_rpc_methods; the last one
                                                    used is of paths that are not served */
  struct annals_series *stream_appends[OUTCOMES];
};

static size_t outcome_of(const GError *error) {
  return error == NULL ? 0 : 1 + (size_t)annals_error_reason(error);
}

static void list_outcomes(struct annals_call_outcome *ret_outcomes) {
  for (size_t i = 0; i < OUTCOMES; i++) {
    const struct annals_reason_info *reason =
        i == 0 ? NULL : annals_reason_info((enum annals_reason)(i - 1));
    ret_outcomes[i].reason = reason == NULL ? "OK" : reason->name;
    g_strlcpy(ret_outcomes[i].code, annals_grpc_code_name(reason == NULL ? 0 : reason->grpc_code),
              sizeof ret_outcomes[i].code);
  }
}

/* Our own methods go by the names that they have over both transports. */
static const char *label_of(const struct annals_rpc_method *method) {
  return g_str_has_prefix(method->path, own_package) ? strrchr(method->path, '/') + 1
                                                     : method->path + 1;
}

static enum annals_call_events events_of(const struct annals_rpc_method *method) {
  if (method == &annals_rpc_get_execution_history ||
      method == &annals_rpc_watch_execution_history) {
    return ANNALS_CALL_READS_EVENTS;
  }
  return method == &annals_rpc_append_history_events ||
                 method == &annals_rpc_append_history_events_stream
             ? ANNALS_CALL_APPENDS_EVENTS
             : ANNALS_CALL_NO_EVENTS;
}

/* How long a stream is open says nothing of how fast it is served. */
static bool is_timed(const struct annals_rpc_method *method) {
  return method->kind == ANNALS_RPC_UNARY || method == &annals_rpc_append_history_events_stream;
}

struct annals_rpc_meters *annals_rpc_meters_new(struct annals_metrics *metrics) {
  struct annals_rpc_meters *meters = g_new0(struct annals_rpc_meters, 1);
  struct annals_call_outcome outcomes[OUTCOMES];
  meters->metrics = metrics;
  if (metrics == NULL) {
    return meters;
  }
  list_outcomes(outcomes);
  struct annals_call_kind kind = {
      .transport = transport,
      .outcomes = outcomes,
      .outcome_count = OUTCOMES,
  };
  size_t i = 0;
  for (; annals_rpc_methods[i] != NULL; i++) {
    g_assert(i + 1 < METHODS_MAX);
    kind.method = label_of(annals_rpc_methods[i]);
    kind.timed = is_timed(annals_rpc_methods[i]);
    kind.events = events_of(annals_rpc_methods[i]);
    annals_call_meter_init(&meters->methods[i], metrics, &kind);
  }
  kind.method = "other";
  kind.timed = true;
  kind.events = ANNALS_CALL_NO_EVENTS;
  annals_call_meter_init(&meters->methods[i], metrics, &kind);
  for (size_t outcome = 0; outcome < OUTCOMES; outcome++) {
    const char *const labels[] = {outcomes[outcome].code, outcomes[outcome].reason};
    meters->stream_appends[outcome] =
        annals_metrics_series(metrics, ANNALS_METRIC_STREAM_APPENDS, labels);
  }
  return meters;
}

void annals_rpc_meters_free(struct annals_rpc_meters *meters) {
  g_free(meters);
}

struct annals_call_meter *annals_rpc_meters_of(struct annals_rpc_meters *meters,
                                               const struct annals_rpc_method *method) {
  size_t i = 0;
  while (annals_rpc_methods[i] != NULL && annals_rpc_methods[i] != method) {
    i++;
  }
  return &meters->methods[i];
}

void annals_rpc_meter_end(const struct annals_rpc_call *call, const GError *error) {
  annals_series_add(call->meter->outcomes[outcome_of(error)], 1);
  if (call->method == NULL || call->method->kind == ANNALS_RPC_UNARY) {
    annals_series_observe(call->meter->seconds, g_get_monotonic_time() - call->started_us);
  }
}

void annals_rpc_meter_stream_append(const struct annals_rpc_call *call, const GError *error,
                                    int64_t started_us) {
  struct annals_rpc_meters *meters = annals_rpc_server_meters(call->server);
  annals_series_add(meters->stream_appends[outcome_of(error)], 1);
  annals_series_observe(call->meter->seconds, g_get_monotonic_time() - started_us);
}

void annals_rpc_meter_backup(const struct annals_rpc_call *call, int64_t time_s, int64_t bytes) {
  struct annals_metrics *metrics = annals_rpc_server_meters(call->server)->metrics;
  annals_metrics_set(metrics, ANNALS_METRIC_BACKUP_TIME, NULL, time_s * G_USEC_PER_SEC);
  annals_metrics_set(metrics, ANNALS_METRIC_BACKUP_BYTES, NULL, bytes);
}

/* --- load --- */

static void set(const struct annals_rpc_meters *meters, enum annals_metric metric,
                const char *label, uint64_t value) {
  annals_metrics_set(meters->metrics, metric, &label, (int64_t)value);
}

static void sample(void *context) {
  const struct annals_rpc_meters *meters = context;
  struct annals_rpc_load load;
  annals_rpc_server_load(meters->server, &load);
  for (size_t i = 0; i < ANNALS_RPC_COUNTERS; i++) {
    static const char *const kinds[ANNALS_RPC_COUNTERS] = {"call", "stream", "standard_stream"};
    set(meters, ANNALS_METRIC_GRPC_CALLS, kinds[i], load.calls[i]);
    set(meters, ANNALS_METRIC_GRPC_CALLS_MAX, kinds[i], load.calls_max[i]);
  }
  set(meters, ANNALS_METRIC_HELD_BYTES, transport, load.held_bytes);
  set(meters, ANNALS_METRIC_HELD_BYTES_MAX, transport, load.held_bytes_max);
  set(meters, ANNALS_METRIC_ADMITTED_BYTES, NULL, load.admitted_bytes);
  set(meters, ANNALS_METRIC_ADMITTED_BYTES_MAX, NULL, load.admitted_bytes_max);
  set(meters, ANNALS_METRIC_ADMISSION_WAITING, NULL, load.admission_waiting);
  set(meters, ANNALS_METRIC_CONNECTIONS, transport, annals_rpc_connections_count());
}

void annals_rpc_meters_watch(struct annals_rpc_meters *meters, struct annals_rpc_server *server) {
  meters->server = server;
  if (annals_history_options(annals_rpc_server_history(server))->backup_dir != NULL) {
    annals_metrics_set(meters->metrics, ANNALS_METRIC_BACKUP_TIME, NULL, 0);
  }
  annals_metrics_add_source(meters->metrics, sample, meters);
}

void annals_rpc_meters_unwatch(struct annals_rpc_meters *meters) {
  annals_metrics_remove_source(meters->metrics, meters);
}
