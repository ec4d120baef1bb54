#include "server/ops/call_meter.h"

static void init_outcomes(struct annals_call_meter *meter, struct annals_metrics *metrics,
                          const struct annals_call_kind *kind) {
  g_assert(kind->outcome_count <= ANNALS_CALL_OUTCOMES_MAX);
  for (size_t i = 0; i < kind->outcome_count; i++) {
    const struct annals_call_outcome *outcome = &kind->outcomes[i];
    const char *const labels[] = {kind->transport, kind->method, outcome->code, outcome->reason};
    if (outcome->reason != NULL) {
      meter->outcomes[i] = annals_metrics_series(metrics, ANNALS_METRIC_CALLS, labels);
    }
  }
}

void annals_call_meter_init(struct annals_call_meter *meter, struct annals_metrics *metrics,
                            const struct annals_call_kind *kind) {
  const char *const labels[] = {kind->transport, kind->method};
#define SERIES(metric) annals_metrics_series(metrics, ANNALS_METRIC_##metric, labels)
  *meter = (struct annals_call_meter){
      .under_way = SERIES(CALLS_UNDER_WAY),
      .seconds = kind->timed ? SERIES(CALL_SECONDS) : NULL,
      .request_bytes = SERIES(REQUEST_BYTES),
      .response_bytes = SERIES(RESPONSE_BYTES),
  };
  if (kind->events == ANNALS_CALL_READS_EVENTS) {
    meter->events_read = SERIES(EVENTS_READ);
  }
  if (kind->events == ANNALS_CALL_APPENDS_EVENTS) {
    meter->events_appended = SERIES(EVENTS_APPENDED);
    meter->events_already_stored = SERIES(EVENTS_ALREADY_STORED);
  }
#undef SERIES
  init_outcomes(meter, metrics, kind);
}
