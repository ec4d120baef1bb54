/*
 * The calls of one completion queue that have been woken and wait for its thread.
 *
 * Floor 3, private to server/rpc. To wake a thread through gRPC's core costs microseconds, and one
 * append may wake thousands of watches, on the thread that writes. So calls are put on a list, and
 * only who finds it empty tells the thread.
 *
 * Threads: any may push; the rest is the queue's own. No lock.
 */
#ifndef ANNALS_SERVER_RPC_WAKES_H_
#define ANNALS_SERVER_RPC_WAKES_H_

#include <glib.h>
#include <stdbool.h>

struct annals_rpc_call;

/* Answers go before news, of which there may be thousands at once. */
enum annals_rpc_wake_kind { ANNALS_RPC_WAKE_ANSWER, ANNALS_RPC_WAKE_NEWS, ANNALS_RPC_WAKE_KINDS };

struct annals_rpc_wake_list {
  struct annals_rpc_call *fresh; /* atomic: the last one first */
  struct annals_rpc_call *due;   /* the first one first; before all that are fresh */
};

/* Zero it before use. */
struct annals_rpc_wakes {
  struct annals_rpc_wake_list lists[ANNALS_RPC_WAKE_KINDS];
  bool reminded; /* the thread has told itself, and will hear of it */
};

/*
 * Puts a call on the list, once until it is popped. Takes a reference; and another one where it
 * returns true: the thread is to be told through this call.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_wakes_push(struct annals_rpc_wakes *wakes, enum annals_rpc_wake_kind kind,
                           struct annals_rpc_call *call);

/* Gives the call that has waited longest, or NULL. The reference is the caller's now. */
struct annals_rpc_call *annals_rpc_wakes_pop(struct annals_rpc_wakes *wakes,
                                             enum annals_rpc_wake_kind kind);

/* Gives a call that is on a list, and stays there, or NULL. */
struct annals_rpc_call *annals_rpc_wakes_peek(struct annals_rpc_wakes *wakes);

#endif
