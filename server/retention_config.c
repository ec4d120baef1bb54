#include "server/retention_config.h"

#include <string.h>

#include "server/config_group.h"

static bool take_rule(void *policy, const char *pattern, const char *period, GError **error) {
  return annals_retention_policy_add(policy, pattern, period, error);
}

static bool read_option(const char *text, int64_t *ret_s, GError **error) {
  g_autoptr(GError) why = NULL;
  if (*text == '\0' || strcmp(text, "0") == 0) {
    *ret_s = ANNALS_RETENTION_NEVER;
    return true;
  }
  if (!annals_retention_period_parse(text, ret_s, &why)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--retention: %s", why->message);
    return false;
  }
  return true;
}

struct annals_retention_policy *annals_retention_config_read(const char *period, const char *path,
                                                             GError **error) {
  int64_t period_s;
  if (!read_option(period, &period_s, error)) {
    return NULL;
  }
  struct annals_retention_policy *policy = annals_retention_policy_new(period_s);
  const struct annals_config_group group = {"retention", "PERIOD", take_rule, policy};
  if (*path != '\0' && !annals_config_group_read(&group, path, error)) {
    annals_retention_policy_free(policy);
    return NULL;
  }
  return policy;
}
