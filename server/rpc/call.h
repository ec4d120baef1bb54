/*
 * One call, from the slot that waits for it to its last tag.
 *
 * Floor 3, private to server/rpc.
 *
 *   ARMED ──on_accept──► RUNNING ──► WAITING ──on_wake──► REPLYING ──on_reply──►
 *     │ ok=0      │         ▲ └────────────────────────────► ▲
 *     ▼           └► ADMITTED, RECEIVING: calls of bulky methods
 *   freed: the server stops
 *
 * Two references keep a call: one for RECV_CLOSE_ON_SERVER, one for everything else up to the
 * reply's tag. No order is promised between the two; the last one frees.
 */
#ifndef ANNALS_SERVER_RPC_CALL_H_
#define ANNALS_SERVER_RPC_CALL_H_

#include <glib.h>
#include <grpc/grpc.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "server/history/history.h"

G_BEGIN_DECLS

struct annals_rpc_call;
struct annals_rpc_server;

/* What a completion queue hands back: a verb, embedded in what it is about. */
struct annals_rpc_tag {
  void (*on)(struct annals_rpc_tag *tag, bool ok);
};

/* How one method is served. */
struct annals_rpc_method {
  const char *path;
  size_t state_bytes; /* of call->state, zeroed before start */
  bool bulky;         /* its messages may be large: they are received one after the other */

  /*
   * Runs the call up to its reply (annals_rpc_call_reply or _fail), or until something is pending
   * whose end calls annals_rpc_call_wake. Does not block.
   */
  void (*start)(struct annals_rpc_call *call);
  void (*resume)(struct annals_rpc_call *call);  /* on the queue's thread, after a wake */
  void (*release)(struct annals_rpc_call *call); /* frees what state holds */
};

/* The methods of annals.v1.HistoryService, one file each. */
extern const struct annals_rpc_method annals_rpc_append_history_events;
extern const struct annals_rpc_method annals_rpc_get_execution_history;

/* All methods served, ended by NULL. */
extern const struct annals_rpc_method *const annals_rpc_methods[];

/* A call. Methods use history, request, request_bytes and state. */
struct annals_rpc_call {
  struct annals_history *history;
  const uint8_t *request; /* the message, NULL when the client sent none */
  size_t request_bytes;
  void *state; /* the method's own */

  /* Private to call.c. */
  const struct annals_rpc_method *method; /* NULL: a path that is not served */
  struct annals_rpc_server *server;
  grpc_completion_queue *queue;
  void *registered; /* the core's name of the method */
  struct annals_rpc_tag accept_tag;
  struct annals_rpc_tag close_tag;
  struct annals_rpc_tag receive_tag;
  struct annals_rpc_tag wake_tag;
  struct annals_rpc_tag reply_tag;
  grpc_call *call;
  grpc_call_details details; /* of a path that is not served */
  gpr_timespec deadline;
  grpc_metadata_array metadata;
  grpc_byte_buffer *payload;
  grpc_slice request_slice;
  grpc_byte_buffer *reply;
  size_t held_bytes;     /* of the server's */
  size_t admitted_bytes; /* of the server's admission */
  bool waiting;          /* for admission */
  int cancelled;
  gint woken; /* hands what the waking thread has written over to the queue's thread */
  int64_t started_us;
  int refs;
};

/* Posts a slot for one call of method (NULL: of any path that is not served) on queue. */
void annals_rpc_call_arm(struct annals_rpc_server *server, const struct annals_rpc_method *method,
                         void *registered, grpc_completion_queue *queue);

/* Lets in the calls that have waited long enough for admission. From any thread. */
void annals_rpc_call_expire_waits(struct annals_rpc_server *server);

/* Has method->resume called on the queue's thread. From any thread; cheap, touches no socket. */
void annals_rpc_call_wake(struct annals_rpc_call *call);

/* Frees the request message early; views into it dangle from then on. On the queue's thread. */
void annals_rpc_call_release_request(struct annals_rpc_call *call);

/*
 * Answers with a message, or with OVERLOADED where the buffer has failed.
 * Memory: takes the buffer's bytes over without copying.
 */
void annals_rpc_call_reply(struct annals_rpc_call *call, struct annals_buffer *message);

/* Answers with a failure. Memory: error stays the caller's. */
void annals_rpc_call_fail(struct annals_rpc_call *call, const GError *error);

G_END_DECLS

#endif
