/*
 * How many bytes of appends are taken off the network at once.
 *
 * Floor 3, private to server/rpc. A message is received only when there is room for it; until then
 * its call waits, and flow control keeps the message with its client. Small messages pass through
 * at once: room is reserved for the largest only until the size is known.
 *
 * Nobody waits for ever: a client may be slow with a message for which room is reserved, or never
 * send it. Who has waited for ANNALS_RPC_ADMISSION_WAIT_MS is let in all the same.
 *
 * Threads: any, for all functions. One lock, a leaf.
 */
#ifndef ANNALS_SERVER_RPC_ADMISSION_H_
#define ANNALS_SERVER_RPC_ADMISSION_H_

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

G_BEGIN_DECLS

struct annals_rpc_call;

enum { ANNALS_RPC_ADMISSION_WAIT_MS = 2000 };

struct annals_rpc_admission {
  pthread_mutex_t lock; /* of what follows */
  size_t bytes_max;
  size_t bytes;
  GQueue waiting;     /* links of struct annals_rpc_call, the one that waits longest first */
  gint waiting_count; /* atomic, to be read without the lock */
};

void annals_rpc_admission_init(struct annals_rpc_admission *admission, size_t bytes_max);
void annals_rpc_admission_clear(struct annals_rpc_admission *admission);

/* Takes room for bytes, or has the call wait until annals_rpc_admission_leave returns it. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_admission_enter(struct annals_rpc_admission *admission,
                                struct annals_rpc_call *call, size_t bytes);

/* Has a call wait no more. False: it has been returned already, by one of the functions below. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_admission_quit(struct annals_rpc_admission *admission,
                               struct annals_rpc_call *call);

/*
 * Gives room back. Returns the next call if there is room for wanted bytes now, which it has taken;
 * NULL: nobody waits, or there is not. To be called again with 0 bytes until then.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_rpc_call *annals_rpc_admission_leave(struct annals_rpc_admission *admission,
                                                   size_t bytes, size_t wanted);

struct annals_rpc_load;

/* Tells how much is taken, and who waits. */
void annals_rpc_admission_load(struct annals_rpc_admission *admission,
                               struct annals_rpc_load *ret_load);

/* Tells whether anybody waits. */
bool annals_rpc_admission_has_waiting(struct annals_rpc_admission *admission);

/*
 * Returns the next call if it has waited long enough, having taken room for wanted bytes, there or
 * not; NULL: nobody has. now_us is of the monotonic clock. To be called again until then.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_rpc_call *annals_rpc_admission_expire(struct annals_rpc_admission *admission,
                                                    gint64 now_us, size_t wanted);

G_END_DECLS

#endif
