/*
 * One call: what methods see of it, and how they are written.
 *
 * Floor 3, private to server/rpc. A method is a table of callbacks, one file each. All of them are
 * called on the thread of the call's queue, and none blocks: what the store cannot answer at once
 * is pending, and annals_rpc_call_wake has the method resumed.
 *
 * Unary: start runs the call up to its answer (annals_rpc_call_reply or _fail), or leaves something
 * pending; resume goes on.
 *
 * Streams: the message of a server streaming call is there at start; a bidirectional one asks for
 * each with annals_rpc_call_receive and gets it by on_message. annals_rpc_call_send sends one; when
 * it has left, on_sent is called, and the next may follow: a client that does not read holds its
 * stream back, and nobody else. annals_rpc_call_finish or _fail ends the stream.
 *
 * A stream also ends when its client goes away, its deadline passes or the server stops, which
 * annals_rpc_call_is_stopping tells: nothing new should be begun then. However it comes about, the
 * end waits until nothing is being sent and call->busy is 0. So a method counts there what is
 * pending for the stream, and needs no other care. While the server stops, on_sent and resume are
 * still called, so that what has been under way can be told to the client; on_message is not.
 */
#ifndef ANNALS_SERVER_RPC_CALL_H_
#define ANNALS_SERVER_RPC_CALL_H_

#include <glib.h>
#include <grpc/grpc.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "server/history/cancel.h"
#include "server/history/history.h"
#include "server/ops/call_meter.h"
#include "server/ops/trace.h"
#include "server/rpc/admission.h"
#include "server/rpc/caller.h"

G_BEGIN_DECLS

struct annals_rpc_call;
struct annals_rpc_server;
struct annals_rpc_wakes;

/* What a completion queue hands back: a verb, embedded in what it is about. */
struct annals_rpc_tag {
  void (*on)(struct annals_rpc_tag *tag, bool ok);
};

enum annals_rpc_kind {
  ANNALS_RPC_UNARY,
  ANNALS_RPC_SERVER_STREAMING,
  ANNALS_RPC_BIDI_STREAMING,
};

/* How one method is served. */
struct annals_rpc_method {
  const char *path;
  enum annals_rpc_kind kind;
  size_t state_bytes; /* of call->state, zeroed before start */
  bool bulky;         /* unary: its messages may be large; they are received one after the other */
  bool standard;      /* health and reflection: small messages, answered however loaded the server
                         is, and while it stops */
  bool anonymous;     /* nobody is asked who they are */

  void (*start)(struct annals_rpc_call *call);
  void (*resume)(struct annals_rpc_call *call);     /* after a wake; several may come as one */
  void (*on_message)(struct annals_rpc_call *call); /* request NULL: the client sends no more */
  void (*on_refused)(struct annals_rpc_call *call, const GError *error); /* instead: no room */
  void (*on_sent)(struct annals_rpc_call *call);
  void (*detach)(struct annals_rpc_call *call);  /* streams: the end; nobody may wake it any more */
  void (*release)(struct annals_rpc_call *call); /* frees what state holds; may be NULL */
};

/* A call. Methods use what comes first. */
struct annals_rpc_call {
  struct annals_rpc_server *server;
  struct annals_history *history;
  struct annals_rpc_caller caller; /* for the operations of the domain */
  const uint8_t *request;          /* the message, NULL when the client sent none */
  size_t request_bytes;
  void *state;                 /* the method's own */
  struct annals_cancel cancel; /* whether the client waits: for the operations of the domain */
  const char *subject;         /* the ARN, for the log: a view as long-lived as state, or NULL */
  unsigned busy;               /* streams: operations pending; the method adds, _done subtracts */

  /* Private from here on. */
  struct annals_call_meter *meter;        /* the method's */
  const struct annals_rpc_method *method; /* NULL: a path that is not served */
  grpc_completion_queue *queue;
  struct annals_rpc_wakes *wakes;     /* of the queue */
  struct annals_rpc_call *next_woken; /* in wakes */
  void *registered;                   /* the core's name of the method */
  struct annals_rpc_tag accept_tag;
  struct annals_rpc_tag close_tag;
  struct annals_rpc_tag open_tag;
  struct annals_rpc_tag receive_tag;
  struct annals_rpc_tag send_tag;
  struct annals_rpc_tag wake_tag;
  struct annals_rpc_tag remind_tag;
  struct annals_rpc_tag end_tag;
  gint refs;   /* atomic */
  guint woken; /* atomic: by whom; also hands over what the waking thread has written */
  grpc_call *core;
  grpc_call_details details; /* of a path that is not served */
  gpr_timespec deadline;
  grpc_metadata_array metadata;
  int cancelled; /* the core's word, when the close tag comes */
  int64_t started_us;
  char *request_id; /* gpr_free() it; NULL: the client gave none, and nobody has asked for one */
  struct annals_trace trace;
  grpc_metadata trace_metadata; /* that hands it back */
  grpc_byte_buffer *payload;    /* received */
  grpc_slice request_slice;
  grpc_byte_buffer *message; /* on its way to the client */
  size_t held_bytes;         /* of the server's, for all that the call holds */
  size_t request_held_bytes; /* of those */
  size_t message_held_bytes; /* of those */
  struct annals_rpc_admitted admitted;
  GList link;        /* among the streams */
  GError *end_error; /* a stream's, when it is ending; NULL: success */
  bool counted;      /* among the server's calls */
  bool listed;       /* among the server's streams */
  bool opened;       /* the stream's initial metadata has been sent */
  bool sending;      /* a message of the stream */
  bool ending;       /* the stream, as the method wants */
  bool stopping;     /* the stream, as the server stops */
  bool ended;        /* the status has been sent */
};

/*
 * Has method->resume called. From any thread, also under a lock; cheap, touches no socket.
 * The waker answers for the call being there: a unary call is until it has been answered, a stream
 * until it has been detached, which a lock of the waker's can keep off.
 */
void annals_rpc_call_wake(struct annals_rpc_call *call);

/* The same for one of many that the same news wakes: answers go before them. */
void annals_rpc_call_wake_for_news(struct annals_rpc_call *call);

/*
 * Tells that an operation has ended that a stream has counted as busy, and has method->resume
 * called. From any thread, as the last thing that is done with the call.
 */
void annals_rpc_call_done(struct annals_rpc_call *call);

/* Frees the request message early; views into it dangle from then on. */
void annals_rpc_call_release_request(struct annals_rpc_call *call);

/* Answers a unary call with a message, or with OVERLOADED where the buffer has failed. Memory:
 * takes the buffer's bytes over without copying. */
void annals_rpc_call_reply(struct annals_rpc_call *call, struct annals_buffer *message);

/* Ends a call with a failure. Of a stream the first end counts. error stays the caller's. */
void annals_rpc_call_fail(struct annals_rpc_call *call, const GError *error);

/* Ends a stream with success. */
void annals_rpc_call_finish(struct annals_rpc_call *call);

/*
 * Sends a message of a stream; on_sent follows, unless the client is gone. Where the buffer has
 * failed, or calls hold too much already, the stream ends with OVERLOADED. One at a time. Ahead of
 * another that on_sent is going to send: they leave together, and the core keeps up to 64 KiB.
 * Memory: takes the buffer's bytes over without copying.
 */
void annals_rpc_call_send(struct annals_rpc_call *call, struct annals_buffer *message);
void annals_rpc_call_send_ahead(struct annals_rpc_call *call, struct annals_buffer *message);

/* Tells whether a message is on its way, and no other may be sent. */
bool annals_rpc_call_is_sending(const struct annals_rpc_call *call);

/* Asks for the next message of a bidirectional stream; frees the one before. One at a time. */
void annals_rpc_call_receive(struct annals_rpc_call *call);

/*
 * Finds out again who makes a stream, where the credentials have been changed or what was shown has
 * expired. The caller's principal may be another one afterwards, and the one before dangles.
 *
 * Errors: UNAUTHENTICATED; the stream is to be ended then.
 * Cost: an atomic load while nothing has changed.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_call_check_caller(struct annals_rpc_call *call, GError **error);

/* Whether that would change nothing. */
bool annals_rpc_call_has_current_caller(const struct annals_rpc_call *call);

/* Tells whether a stream is going to end: nothing new should be begun. */
bool annals_rpc_call_is_stopping(const struct annals_rpc_call *call);

/*
 * Takes bytes that a stream keeps beyond its message (appends pending) out of what all calls may
 * hold, or returns false when that is used up; and gives them back, as the call's end does.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_call_hold(struct annals_rpc_call *call, size_t bytes);
void annals_rpc_call_unhold(struct annals_rpc_call *call, size_t bytes);

G_END_DECLS

#endif
