#include "server/rpc/call.h"

const struct annals_rpc_method *const annals_rpc_methods[] = {
    &annals_rpc_append_history_events,
    &annals_rpc_get_execution_history,
    NULL,
};
