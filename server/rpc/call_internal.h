/*
 * One call from the inside: from the slot that waits for it to its last tag.
 *
 * Floor 3, private to the transport; methods include call.h alone.
 *
 *            accept            admitted       message
 *   ARMED ──┬──────► WAITING ──────► RECEIVING ─────► RUNNING ⇄ pending ──► ENDED ──► freed
 *           │ ok=0   (bulky methods)                     ⇅
 *           ▼                                     sending, receiving (streams)
 *   freed: the server stops
 *
 * References keep a call: one from accept to its end, and one for each batch under way. No order is
 * promised between the tags of a call; the last reference frees. References are taken from any
 * thread, by wakes; all else happens on the one thread of the call's queue.
 */
#ifndef ANNALS_SERVER_RPC_CALL_INTERNAL_H_
#define ANNALS_SERVER_RPC_CALL_INTERNAL_H_

#include "server/rpc/call.h"

G_BEGIN_DECLS

#define ANNALS_RPC_CALL_OF(tag, member) \
  ((struct annals_rpc_call *)((char *)(tag)-offsetof(struct annals_rpc_call, member)))

/* Who has woken a call: bits of woken. */
enum {
  ANNALS_RPC_WOKEN_BY_METHOD = 1 << 0,
  ANNALS_RPC_WOKEN_BY_ADMISSION = 1 << 1,
  ANNALS_RPC_WOKEN_BY_SERVER = 1 << 2, /* it stops */
  ANNALS_RPC_WOKEN_TO_GIVE_UP = 1 << 3,
  ANNALS_RPC_WOKEN_BY_DONE = 1 << 4, /* and all bits above: how many operations are done */
};

/* --- call.c: life --- */

/* Tells whether the core is to receive the first message before it hands over the call. */
bool annals_rpc_method_has_payload(const struct annals_rpc_method *method);

/* A completion queue, and which of its calls have been woken. */
struct annals_rpc_queue {
  grpc_completion_queue *core;
  struct annals_rpc_wakes *wakes;
};

/* Posts a slot for one call of method (NULL: of any path that is not served) on queue. */
void annals_rpc_call_arm(struct annals_rpc_server *server, const struct annals_rpc_method *method,
                         void *registered, struct annals_rpc_queue queue);

/* Starts a batch, which takes a reference. False: the core has refused it, and the call is lost. */
bool annals_rpc_call_start_batch(struct annals_rpc_call *call, const grpc_op *ops, size_t count,
                                 struct annals_rpc_tag *tag);

void annals_rpc_call_unref(struct annals_rpc_call *call);

/* Frees what the method has made. It is not called any more. */
void annals_rpc_call_release_state(struct annals_rpc_call *call);

/* Wakes a call, for what who tells. From any thread. */
void annals_rpc_call_wake_as(struct annals_rpc_call *call, unsigned who);

bool annals_rpc_call_is_stream(const struct annals_rpc_call *call);

/* --- receive.c: messages from the client --- */

/*
 * Makes what has been received the request. NULL where nothing has.
 * Errors: INVALID_REQUEST, LIMIT_EXCEEDED, OVERLOADED.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_call_take_message(struct annals_rpc_call *call, GError **error);

/* Starts receiving a message; call->receive_tag follows. */
void annals_rpc_call_start_receive(struct annals_rpc_call *call);

/* --- reply.c: answers --- */

/*
 * Takes over a message to be sent: call->message. False: the buffer has failed, or calls hold too
 * much; it is cleared then.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_call_put_message(struct annals_rpc_call *call, struct annals_buffer *message);

/* What it is made of: counts a message of that size as held and sent, or returns false when calls
 * hold too much; and makes the bytes a slice, which the caller unrefs. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_call_hold_message(struct annals_rpc_call *call, size_t size);
G_GNUC_WARN_UNUSED_RESULT
grpc_slice annals_rpc_call_take_slice(struct annals_buffer *message);

/* Sends the status, behind a unary call's message if there is one; error NULL: success. The call
 * has ended then. */
void annals_rpc_call_end(struct annals_rpc_call *call, const GError *error);

/* --- stream.c --- */

/* Begins a stream: among the server's, before start; and tells the client so, after it. */
void annals_rpc_stream_enter(struct annals_rpc_call *call);
void annals_rpc_stream_open(struct annals_rpc_call *call);

/* Has the server's stopping end the stream. */
void annals_rpc_stream_stop(struct annals_rpc_call *call);

/* Ends a stream that is going to end and has nothing under way. After each of its tags. */
void annals_rpc_stream_settle(struct annals_rpc_call *call);

void annals_rpc_stream_on_sent(struct annals_rpc_tag *tag, bool ok);

G_END_DECLS

#endif
