#include "server/encryption_config.h"

#include "server/config_group.h"

static bool take_rule(void *policy, const char *pattern, const char *text, GError **error) {
  return annals_encryption_policy_add(policy, pattern, text, error);
}

static bool check_keys(const struct annals_encryption_policy *policy, const char *path,
                       bool has_keys, GError **error) {
  if (has_keys || !annals_encryption_policy_needs_keys(policy)) {
    return true;
  }
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
              "%s: [encryption] names keys, and neither --kms-region, --kms-endpoint nor "
              "--kms-key-file says where they are to be had",
              path);
  return false;
}

struct annals_encryption_policy *annals_encryption_config_read(const char *path, bool has_keys,
                                                               GError **error) {
  struct annals_encryption_policy *policy = annals_encryption_policy_new();
  const struct annals_config_group group = {"encryption", "KEY", take_rule, policy};
  if (*path != '\0' && (!annals_config_group_read(&group, path, error) ||
                        !check_keys(policy, path, has_keys, error))) {
    annals_encryption_policy_free(policy);
    return NULL;
  }
  return policy;
}
