/*
 * What is told of a call: its place in a trace, and its line in the log.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_REPORT_H_
#define ANNALS_SERVER_RPC_REPORT_H_

#include "server/rpc/call.h"

G_BEGIN_DECLS

/* Takes traceparent and x-request-id out of the metadata of a call that has just come. */
void annals_rpc_report_begin(struct annals_rpc_call *call);

/* Has the initial metadata hand back the trace, if the call is in one. */
void annals_rpc_report_set_metadata(struct annals_rpc_call *call, grpc_op *op);

/* Gives the id of a call that has failed: the client's, or one that is made up now. */
const char *annals_rpc_report_request_id(struct annals_rpc_call *call);

/* Logs the end of a call. error NULL: success. */
void annals_rpc_report_end(struct annals_rpc_call *call, const GError *error);

/* Logs the answer to an append of a stream, that came at started_us of the monotonic clock. It has
 * a span of its own, within that of the stream. */
void annals_rpc_report_append(struct annals_rpc_call *call, const char *execution_arn,
                              const GError *error, int64_t started_us);

G_END_DECLS

#endif
