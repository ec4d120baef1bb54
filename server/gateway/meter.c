#include "server/gateway/meter.h"

#include "server/gateway/aws_error.h"
#include "server/history/error.h"

/* Success; the domain's reasons; the gateway's own. */
enum {
  FIRST_REASON = 1,
  FIRST_OWN = FIRST_REASON + ANNALS_REASON_COUNT,
  OUTCOMES = FIRST_OWN + ANNALS_GATEWAY_ERROR_COUNT,
};

static void set_outcome(struct annals_call_outcome *outcome, const char *reason, unsigned status) {
  outcome->reason = reason;
  g_snprintf(outcome->code, sizeof outcome->code, "%u", status);
}

static void list_outcomes(struct annals_call_outcome *ret_outcomes) {
  set_outcome(&ret_outcomes[0], "OK", 200);
  for (int i = 0; i < ANNALS_REASON_COUNT; i++) {
    const struct annals_reason_info *info = annals_reason_info((enum annals_reason)i);
    bool can_be = *info->aws_name != '\0';
    set_outcome(&ret_outcomes[FIRST_REASON + i], can_be ? info->name : NULL,
                (unsigned)info->http_status);
  }
  for (int i = 0; i < ANNALS_GATEWAY_ERROR_COUNT; i++) {
    unsigned status;
    const char *reason = annals_gateway_error_reason((enum annals_gateway_error)i, &status);
    set_outcome(&ret_outcomes[FIRST_OWN + i], reason, status);
  }
}

static size_t outcome_of(const GError *error) {
  if (error == NULL) {
    return 0;
  }
  return error->domain == ANNALS_GATEWAY_ERROR
             ? FIRST_OWN + (size_t)error->code
             : FIRST_REASON + (size_t)annals_aws_error_reason(error);
}

void annals_gateway_meters_init(struct annals_gateway_meters *meters,
                                struct annals_metrics *metrics) {
  struct annals_call_outcome outcomes[OUTCOMES];
  *meters = (struct annals_gateway_meters){.metrics = metrics};
  list_outcomes(outcomes);
  struct annals_call_kind kind = {
      .transport = "aws_json",
      .timed = true,
      .outcomes = outcomes,
      .outcome_count = OUTCOMES,
  };
  for (size_t i = 0; i < ANNALS_OPERATION_COUNT; i++) {
    const struct annals_operation *operation = annals_operations[i];
    kind.method = operation->name;
    kind.events = operation == &annals_operation_get_execution_history ? ANNALS_CALL_READS_EVENTS
                                                                       : ANNALS_CALL_NO_EVENTS;
    annals_call_meter_init(&meters->operations[i], metrics, &kind);
  }
  kind.method = "other";
  kind.events = ANNALS_CALL_NO_EVENTS;
  annals_call_meter_init(&meters->other, metrics, &kind);
}

struct annals_call_meter *annals_gateway_meters_of(struct annals_gateway_meters *meters,
                                                   const struct annals_operation *operation) {
  for (size_t i = 0; i < ANNALS_OPERATION_COUNT; i++) {
    if (annals_operations[i] == operation) {
      return &meters->operations[i];
    }
  }
  return &meters->other;
}

void annals_gateway_meter_end(struct annals_call_meter *meter, const GError *error,
                              int64_t started_us) {
  annals_series_add(meter->outcomes[outcome_of(error)], 1);
  annals_series_observe(meter->seconds, g_get_monotonic_time() - started_us);
}
