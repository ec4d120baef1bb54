/*
 * What is counted of requests: see server/ops/metric.def.
 *
 * Floor 3, private to the gateway. Threads: any, but for init.
 */
#ifndef ANNALS_SERVER_GATEWAY_METER_H_
#define ANNALS_SERVER_GATEWAY_METER_H_

#include "server/gateway/operation.h"
#include "server/ops/call_meter.h"

G_BEGIN_DECLS

struct annals_gateway_meters {
  struct annals_metrics *metrics;
  struct annals_call_meter operations[ANNALS_OPERATION_COUNT];
  struct annals_call_meter other; /* requests that are for no operation, or are not read so far */
};

/* metrics NULL: nothing is counted. */
void annals_gateway_meters_init(struct annals_gateway_meters *meters,
                                struct annals_metrics *metrics);

/* Gives the meter of an operation; NULL: of none. */
struct annals_call_meter *annals_gateway_meters_of(struct annals_gateway_meters *meters,
                                                   const struct annals_operation *operation);

/* Counts the end of a request that came at started_us of the monotonic clock. error NULL: success.
 */
void annals_gateway_meter_end(struct annals_call_meter *meter, const GError *error,
                              int64_t started_us);

G_END_DECLS

#endif
