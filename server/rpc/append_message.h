/*
 * What the methods that append have in common: from a request's bytes to the domain's append, and
 * from its result to the bytes of an answer.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_APPEND_MESSAGE_H_
#define ANNALS_SERVER_RPC_APPEND_MESSAGE_H_

#include "server/rpc/call.h"
#include "server/rpc/request.h"

G_BEGIN_DECLS

/* One append of a call's. Zero it before use, and clear it in the end. */
struct annals_rpc_append {
  struct annals_rpc_append_request request;
  struct annals_append append; /* owner and on_done are the user's */
};

/* More than any AppendHistoryEventsResponse takes. */
enum { ANNALS_RPC_APPEND_RESULT_BYTES_MAX = 64 };

/*
 * Makes an append of an AppendHistoryEventsRequest. Its events are views into bytes, which may go
 * when annals_append_run has returned.
 * Errors: as annals_rpc_append_request_read.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_append_read(struct annals_rpc_call *call, const uint8_t *bytes, size_t size,
                            struct annals_rpc_append *append, GError **error);
void annals_rpc_append_clear(struct annals_rpc_append *append);

/* Counts the events of an append of a call's that has succeeded. */
void annals_rpc_append_count(const struct annals_append *append,
                             const struct annals_rpc_call *call);

/* Appends the AppendHistoryEventsResponse of an append that has succeeded to out. */
void annals_rpc_append_encode(const struct annals_append *append, struct annals_buffer *out);

G_END_DECLS

#endif
