#include "server/rpc/methods.h"

#include <string.h>

const struct annals_rpc_method *const annals_rpc_methods[] = {
    &annals_rpc_append_history_events,
    &annals_rpc_append_history_events_stream,
    &annals_rpc_delete_execution,
    &annals_rpc_watch_execution_history,
    &annals_rpc_get_execution_history,
    &annals_rpc_describe_execution,
    &annals_rpc_list_executions,
    &annals_rpc_create_backup,
    &annals_rpc_verify_store,
    &annals_rpc_rewrap_data_keys,
    &annals_rpc_destroy_data_keys,
    &annals_rpc_health_check,
    &annals_rpc_health_list,
    &annals_rpc_health_watch,
    &annals_rpc_reflection_v1,
    &annals_rpc_reflection_v1alpha,
    NULL,
};

/* A path is "/", the service, "/", the method. */
static char *service_of(const struct annals_rpc_method *method) {
  const char *service = method->path + 1;
  return g_strndup(service, (gsize)(strchr(service, '/') - service));
}

GPtrArray *annals_rpc_services_new(void) {
  GPtrArray *services = g_ptr_array_new_with_free_func(g_free);
  for (size_t i = 0; annals_rpc_methods[i] != NULL; i++) {
    g_autofree char *service = service_of(annals_rpc_methods[i]);
    if (!g_ptr_array_find_with_equal_func(services, service, g_str_equal, NULL)) {
      g_ptr_array_add(services, g_steal_pointer(&service));
    }
  }
  return services;
}
