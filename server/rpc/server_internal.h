/*
 * What calls need of their server.
 *
 * Floor 3, private to server/rpc.
 *
 * Threads: any, for all functions.
 */
#ifndef ANNALS_SERVER_RPC_SERVER_INTERNAL_H_
#define ANNALS_SERVER_RPC_SERVER_INTERNAL_H_

#include <grpc/grpc.h>
#include <stdbool.h>

#include "server/history/history.h"
#include "server/rpc/admission.h"

G_BEGIN_DECLS

struct annals_call_log;
struct annals_rpc_call;
struct annals_rpc_server;

grpc_server *annals_rpc_server_core(struct annals_rpc_server *server);
struct annals_history *annals_rpc_server_history(struct annals_rpc_server *server);

/* Gives what callers prove who they are with; NULL: they are not asked. */
struct annals_keyring *annals_rpc_server_keyring(struct annals_rpc_server *server);

struct annals_rpc_admission *annals_rpc_server_admission(struct annals_rpc_server *server);
struct annals_rpc_health *annals_rpc_server_health(struct annals_rpc_server *server);
struct annals_rpc_heartbeat *annals_rpc_server_heartbeat(struct annals_rpc_server *server);

struct annals_rpc_meters *annals_rpc_server_meters(struct annals_rpc_server *server);
struct annals_call_log *annals_rpc_server_call_log(struct annals_rpc_server *server);

/* What is counted apart, so that none takes the room of another. */
enum annals_rpc_counter {
  ANNALS_RPC_COUNTER_UNARY,
  ANNALS_RPC_COUNTER_STREAMS,
  ANNALS_RPC_COUNTER_STANDARD, /* streams of health and reflection */
  ANNALS_RPC_COUNTERS,
};

/* How much is under way, and how much may be. */
struct annals_rpc_load {
  unsigned calls[ANNALS_RPC_COUNTERS];
  unsigned calls_max[ANNALS_RPC_COUNTERS];
  size_t held_bytes;
  size_t held_bytes_max;
  size_t admitted_bytes;
  size_t admitted_bytes_max;
  unsigned admission_waiting;
};
void annals_rpc_server_load(struct annals_rpc_server *server, struct annals_rpc_load *ret_load);

/* Gives the descriptors of what is served. */
const struct annals_rpc_descriptors *annals_rpc_server_descriptors(
    const struct annals_rpc_server *server);

/* Gives the full names of the services, in the order of their methods. */
const GPtrArray *annals_rpc_server_services(const struct annals_rpc_server *server);

/*
 * Tells whether calls are to be refused; then, whether streams that wait for their clients are to
 * be cut; then, whether slots are to be armed no more.
 */
bool annals_rpc_server_is_draining(struct annals_rpc_server *server);
bool annals_rpc_server_is_hurrying(struct annals_rpc_server *server);
bool annals_rpc_server_is_stopping(struct annals_rpc_server *server);

/*
 * Counts calls and the slots that wait for them: stop returns when as many have ended as began.
 * accepted: the slot has got its call.
 */
void annals_rpc_server_call_began(struct annals_rpc_server *server);
void annals_rpc_server_call_accepted(struct annals_rpc_server *server);
void annals_rpc_server_call_ended(struct annals_rpc_server *server,
                                  const struct annals_rpc_call *call);

/* Counts a call among those under way, or returns false: there are enough. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_server_count_call(struct annals_rpc_server *server, struct annals_rpc_call *call);

/* Keeps the streams that are to be told when the server stops, by their links. */
void annals_rpc_server_add_stream(struct annals_rpc_server *server, GList *link);
void annals_rpc_server_remove_stream(struct annals_rpc_server *server, GList *link);

/*
 * Takes bytes out of what all calls may hold, or returns false, when that is used up: else clients
 * that do not read their answers would decide how much memory the server needs.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_server_hold(struct annals_rpc_server *server, size_t bytes);
void annals_rpc_server_release(struct annals_rpc_server *server, size_t bytes);

G_END_DECLS

#endif
