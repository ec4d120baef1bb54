/*
 * What is counted of calls: see server/ops/metric.def.
 *
 * Floor 3, private to server/rpc. Threads: any, but for new and free.
 */
#ifndef ANNALS_SERVER_RPC_METER_H_
#define ANNALS_SERVER_RPC_METER_H_

#include <glib.h>
#include <stdint.h>

#include "server/ops/call_meter.h"

G_BEGIN_DECLS

struct annals_rpc_call;
struct annals_rpc_meters;
struct annals_rpc_method;
struct annals_rpc_server;

/* metrics NULL: nothing is counted. */
struct annals_rpc_meters *annals_rpc_meters_new(struct annals_metrics *metrics);
void annals_rpc_meters_free(struct annals_rpc_meters *meters);

/* Counts a backup that was made. time_s is since 1970. */
void annals_rpc_meter_backup(const struct annals_rpc_call *call, int64_t time_s, int64_t bytes);

/* Has the server's load told whenever metrics are asked for, until annals_rpc_meters_unwatch. */
void annals_rpc_meters_watch(struct annals_rpc_meters *meters, struct annals_rpc_server *server);
void annals_rpc_meters_unwatch(struct annals_rpc_meters *meters);

/* Gives the meter of a method; NULL: of paths that are not served. */
struct annals_call_meter *annals_rpc_meters_of(struct annals_rpc_meters *meters,
                                               const struct annals_rpc_method *method);

/* Counts the end of a call; error NULL: success. */
void annals_rpc_meter_end(const struct annals_rpc_call *call, const GError *error);

/* Counts the answer to an append of a stream, that came at started_us of the monotonic clock. */
void annals_rpc_meter_stream_append(const struct annals_rpc_call *call, const GError *error,
                                    int64_t started_us);

G_END_DECLS

#endif
