#include "server/gateway/operation.h"

#include <string.h>

#include "server/gateway/aws_error.h"

const struct annals_operation *const annals_operations[] = {
    &annals_operation_get_execution_history,
    &annals_operation_describe_execution,
    &annals_operation_list_executions,
};

static char *offered(void) {
  GString *names = g_string_new(NULL);
  for (size_t i = 0; i < ANNALS_OPERATION_COUNT; i++) {
    g_string_append_printf(names, "%s" ANNALS_OPERATION_TARGET_PREFIX "%s", i == 0 ? "" : ", ",
                           annals_operations[i]->name);
  }
  return g_string_free(names, FALSE);
}

/* Blanks behind a header's value do not belong to it, but libmicrohttpd leaves them there. */
static bool is_target_of(const struct annals_operation *operation, const char *target) {
  g_autofree char *name = g_strconcat(ANNALS_OPERATION_TARGET_PREFIX, operation->name, NULL);
  const size_t size = strlen(name);
  return strncmp(target, name, size) == 0 && strspn(target + size, " \t") == strlen(target + size);
}

const struct annals_operation *annals_operation_find(const char *target, GError **error) {
  for (size_t i = 0; target != NULL && i < ANNALS_OPERATION_COUNT; i++) {
    if (is_target_of(annals_operations[i], target)) {
      return annals_operations[i];
    }
  }
  g_autofree char *names = offered();
  g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_UNKNOWN_OPERATION,
              "X-Amz-Target is %s; offered: %s", target == NULL ? "missing" : "not an operation",
              names);
  return NULL;
}
