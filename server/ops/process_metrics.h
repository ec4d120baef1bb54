/*
 * What the process needs of the machine: the figures that Prometheus' own clients call process_*.
 *
 * Floor 1.
 */
#ifndef ANNALS_SERVER_OPS_PROCESS_METRICS_H_
#define ANNALS_SERVER_OPS_PROCESS_METRICS_H_

#include "server/ops/metrics.h"

G_BEGIN_DECLS

/* The version of the program. */
#define ANNALS_VERSION "0.1.0"

/* Adds the process's figures to a registry, as a source that lasts as long as it, and what was
 * built. */
void annals_process_metrics_add(struct annals_metrics *metrics);

G_END_DECLS

#endif
