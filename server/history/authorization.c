#include "server/history/authorization.h"

#include "server/history/error.h"
#include "server/history/quota.h"

static bool is_allowed(const struct annals_principal *principal, const char *action,
                       const char *arn) {
  if (principal == NULL) {
    return true;
  }
  for (guint i = 0; i < principal->rules->len; i++) {
    if (annals_rule_allows(principal->rules->pdata[i], action, arn)) {
      return true;
    }
  }
  return false;
}

bool annals_check_permission(const struct annals_principal *principal, enum annals_action action,
                             const char *arn, GError **error) {
  const char *name = annals_action_name(action);
  if (is_allowed(principal, name, arn)) {
    return true;
  }
  GError *denied = annals_error_new(ANNALS_REASON_PERMISSION_DENIED,
                                    "User: %s is not authorized to perform: %s on resource: %s",
                                    principal->name, name, arn);
  annals_error_add_metadata(denied, "principal", "%s", principal->name);
  annals_error_add_metadata(denied, "action", "%s", name);
  annals_error_add_metadata(denied, "resource", "%s", arn);
  g_propagate_error(error, denied);
  return false;
}

bool annals_authorize(struct annals_history *history, const struct annals_principal *principal,
                      enum annals_action action, const char *arn, GError **error) {
  return annals_check_permission(principal, action, arn, error) &&
         annals_quotas_take(annals_history_options(history)->quotas,
                            principal == NULL ? NULL : principal->name, action, error);
}
