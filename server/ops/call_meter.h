/*
 * What is counted of the calls of one method or operation, over one transport.
 *
 * Floor 1. Zeroed, it counts nothing. What its figures mean is in metric.def.
 *
 * Threads: any, for all but annals_call_meter_init.
 */
#ifndef ANNALS_SERVER_OPS_CALL_METER_H_
#define ANNALS_SERVER_OPS_CALL_METER_H_

#include <stdbool.h>
#include <stddef.h>

#include "server/ops/metrics.h"

G_BEGIN_DECLS

enum { ANNALS_CALL_OUTCOMES_MAX = 64 };

/* How a call may end: labels of annals_calls_total. */
struct annals_call_outcome {
  char code[24];
  const char *reason;
};

/* What a method does with events. */
enum annals_call_events {
  ANNALS_CALL_NO_EVENTS,
  ANNALS_CALL_READS_EVENTS,
  ANNALS_CALL_APPENDS_EVENTS
};

struct annals_call_meter {
  struct annals_series *under_way;
  struct annals_series *seconds;
  struct annals_series *request_bytes;
  struct annals_series *response_bytes;
  struct annals_series *events_read;
  struct annals_series *events_appended;
  struct annals_series *events_already_stored;
  struct annals_series *outcomes[ANNALS_CALL_OUTCOMES_MAX];
};

/* What distinguishes the calls. */
struct annals_call_kind {
  const char *transport;
  const char *method;
  bool timed; /* whether how long they take is told */
  enum annals_call_events events;
  const struct annals_call_outcome *outcomes; /* all that there are; those with a reason of NULL
                                                 never happen */
  size_t outcome_count;
};

/* Makes the series, all of them at 0: what has never happened can be told from what is not counted.
 */
void annals_call_meter_init(struct annals_call_meter *meter, struct annals_metrics *metrics,
                            const struct annals_call_kind *kind);

G_END_DECLS

#endif
