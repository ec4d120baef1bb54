/*
 * How many bytes of appends are taken off the network at once.
 *
 * Floor 3, private to server/rpc. A message is received only when there is room for it; until then
 * its call waits, and flow control keeps the message with its client. Small messages pass through
 * at once: room is reserved for the largest only until the size is known.
 *
 *          enter                room                  arrive           give, quit
 *   OUT ──────────► WAITING ──────────► RECEIVING ──────────────► OUT ────────────► room is back
 *    ▲  (or at once, to RECEIVING)          │ (its size is taken)
 *    └──────────────────────────────────────┘ the message does not come
 *
 * A stream's next message may come at once or never, and the core does not tell that one has begun.
 * So a stream receives without room (pass), and what is large takes its size when it has come;
 * behind a large message, and when there is no room, the stream waits in turn with the calls.
 *
 * Nobody waits for ever: a client may be slow with a message for which room is reserved, or never
 * send it. A stream loses its room after IDLE_MS while others wait, and goes on receiving. Who has
 * waited for WAIT_MS is let in all the same, as long as no more is taken than twice the room; then
 * calls whose message takes longer than it may are given up.
 *
 * Threads: any, for all functions. One lock, a leaf but for waking calls.
 */
#ifndef ANNALS_SERVER_RPC_ADMISSION_H_
#define ANNALS_SERVER_RPC_ADMISSION_H_

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

G_BEGIN_DECLS

struct annals_rpc_call;

enum {
  ANNALS_RPC_ADMISSION_IDLE_MS = 200,
  ANNALS_RPC_ADMISSION_WAIT_MS = 2000,
};

enum annals_rpc_admission_place { ANNALS_RPC_OUT, ANNALS_RPC_WAITING, ANNALS_RPC_RECEIVING };

struct annals_rpc_admission {
  pthread_mutex_t lock; /* of what follows */
  size_t bytes_max;
  int receive_ms;
  gsize bytes;        /* atomic, to be read without the lock */
  GQueue waiting;     /* links of struct annals_rpc_call, the one that waits longest first */
  GQueue receiving;   /* the same, of those for which room is reserved */
  gint waiting_count; /* atomic, to be read without the lock */
  gint64 looked_us;   /* when waits were looked at */
};

/* What a call has to do with it. Zero it before use. */
struct annals_rpc_admitted {
  GList link; /* the lock's, as the next two */
  enum annals_rpc_admission_place place;
  gint64 since_us;
  bool entered;         /* the call's own, as all that follows: for the message that comes next */
  bool large;           /* the message that has come last was */
  size_t bytes;         /* that its messages have taken and that are to be given back */
  size_t message_bytes; /* of those, of the message that has come last */
};

/* receive_ms: how long a message may take for which others wait. */
void annals_rpc_admission_init(struct annals_rpc_admission *admission, size_t bytes_max,
                               int receive_ms);
void annals_rpc_admission_clear(struct annals_rpc_admission *admission);

/* Tells whether a stream may receive without having entered. Cost: two atomic loads. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_admission_pass(struct annals_rpc_admission *admission,
                               const struct annals_rpc_call *call);

/* Reserves room for a message, or has the call wait until it is woken by admission. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_admission_enter(struct annals_rpc_admission *admission,
                                struct annals_rpc_call *call);

/* Takes room for what has come in place of what was reserved. */
void annals_rpc_admission_arrive(struct annals_rpc_admission *admission,
                                 struct annals_rpc_call *call, size_t message_bytes);

/* Has the room of the message that has come last stay taken until it is given back, and returns
 * how much that is. The call's own thread. */
G_GNUC_WARN_UNUSED_RESULT
size_t annals_rpc_admission_keep(struct annals_rpc_call *call);

/* Gives back some of the room that a call's messages have taken. The call's own thread. */
void annals_rpc_admission_give(struct annals_rpc_call *call, size_t bytes);

/* Has a call neither wait nor have room reserved any more. Returns where it was. */
enum annals_rpc_admission_place annals_rpc_admission_quit(struct annals_rpc_admission *admission,
                                                          struct annals_rpc_call *call);

struct annals_rpc_load;

/* Tells how much is taken, and who waits. */
void annals_rpc_admission_load(struct annals_rpc_admission *admission,
                               struct annals_rpc_load *ret_load);

/* Tells whether anybody waits. */
bool annals_rpc_admission_has_waiting(struct annals_rpc_admission *admission);

/* Looks who has waited long enough, or has kept others waiting. now_us is of the monotonic clock.
 * To be called now and then while somebody waits. */
void annals_rpc_admission_look(struct annals_rpc_admission *admission, gint64 now_us);

G_END_DECLS

#endif
