/*
 * All methods that are served, one file each.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_METHODS_H_
#define ANNALS_SERVER_RPC_METHODS_H_

#include "server/rpc/call.h"

G_BEGIN_DECLS

extern const struct annals_rpc_method annals_rpc_append_history_events;
extern const struct annals_rpc_method annals_rpc_append_history_events_stream;
extern const struct annals_rpc_method annals_rpc_create_backup;
extern const struct annals_rpc_method annals_rpc_verify_store;
extern const struct annals_rpc_method annals_rpc_destroy_data_keys;
extern const struct annals_rpc_method annals_rpc_rewrap_data_keys;
extern const struct annals_rpc_method annals_rpc_delete_execution;
extern const struct annals_rpc_method annals_rpc_describe_execution;
extern const struct annals_rpc_method annals_rpc_get_execution_history;
extern const struct annals_rpc_method annals_rpc_health_check;
extern const struct annals_rpc_method annals_rpc_health_list;
extern const struct annals_rpc_method annals_rpc_health_watch;
extern const struct annals_rpc_method annals_rpc_list_executions;
extern const struct annals_rpc_method annals_rpc_reflection_v1;
extern const struct annals_rpc_method annals_rpc_reflection_v1alpha;
extern const struct annals_rpc_method annals_rpc_watch_execution_history;

/* Ended by NULL. */
extern const struct annals_rpc_method *const annals_rpc_methods[];

/* Gives the full names of their services, in the order of the table. Memory: unref it. */
G_GNUC_WARN_UNUSED_RESULT
GPtrArray *annals_rpc_services_new(void);

G_END_DECLS

#endif
