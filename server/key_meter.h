/*
 * A key provider in front of another, which counts and times its calls, and logs when the other is
 * out of reach, and when it is back.
 *
 * Floor 4.
 */
#ifndef ANNALS_SERVER_KEY_METER_H_
#define ANNALS_SERVER_KEY_METER_H_

#include <glib.h>

#include "server/kms/key_provider.h"
#include "server/ops/metrics.h"

G_BEGIN_DECLS

/*
 * Takes the provider, if any: NULL stays NULL.
 *
 * name: what metrics and log call it, static: aws_kms or key_file. metrics must outlive the meter.
 */
struct annals_key_provider *annals_key_meter_new(struct annals_key_provider *provider,
                                                 const char *name, struct annals_metrics *metrics);

G_END_DECLS

#endif
