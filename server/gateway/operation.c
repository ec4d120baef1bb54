#include "server/gateway/operation.h"

#include <string.h>

#include "server/gateway/aws_error.h"

static const struct annals_operation *const operations[] = {
    &annals_operation_get_execution_history,
};

static char *offered(void) {
  GString *names = g_string_new(NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(operations); i++) {
    g_string_append_printf(names, "%s" ANNALS_OPERATION_TARGET_PREFIX "%s", i == 0 ? "" : ", ",
                           operations[i]->name);
  }
  return g_string_free(names, FALSE);
}

const struct annals_operation *annals_operation_find(const char *target, GError **error) {
  const size_t prefix_size = strlen(ANNALS_OPERATION_TARGET_PREFIX);
  if (target != NULL && strncmp(target, ANNALS_OPERATION_TARGET_PREFIX, prefix_size) == 0) {
    for (size_t i = 0; i < G_N_ELEMENTS(operations); i++) {
      if (strcmp(target + prefix_size, operations[i]->name) == 0) {
        return operations[i];
      }
    }
  }
  g_autofree char *names = offered();
  g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_UNKNOWN_OPERATION,
              "X-Amz-Target is %s; offered: %s", target == NULL ? "missing" : "not an operation",
              names);
  return NULL;
}
