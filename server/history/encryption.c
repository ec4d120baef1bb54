#include "server/history/encryption.h"

#include <string.h>

#include "server/history/rule.h"
#include "server/kms/data_keys.h"

struct rule {
  char *pattern;
  char *kms_key_id; /* "": executions are not encrypted */
  int32_t reuse_seconds;
};

struct annals_encryption_policy {
  GArray *rules; /* struct rule */
};

static void clear_rule(gpointer data) {
  struct rule *rule = data;
  g_free(rule->pattern);
  g_free(rule->kms_key_id);
}

struct annals_encryption_policy *annals_encryption_policy_new(void) {
  struct annals_encryption_policy *policy = g_new(struct annals_encryption_policy, 1);
  policy->rules = g_array_new(FALSE, FALSE, sizeof(struct rule));
  g_array_set_clear_func(policy->rules, clear_rule);
  return policy;
}

void annals_encryption_policy_free(struct annals_encryption_policy *policy) {
  if (policy != NULL) {
    g_array_unref(policy->rules);
    g_free(policy);
  }
}

G_GNUC_PRINTF(2, 3)
static bool refuse(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_propagate_error(
      error, g_error_new_valist(G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, format, args));
  va_end(args);
  return false;
}

/* Reads KEY or KEY SECONDS, or none. */
static bool parse(const char *text, struct rule *rule, GError **error) {
  guint64 seconds = ANNALS_REUSE_SECONDS_DEFAULT;
  g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
  const char *period = NULL;
  for (guint i = 1; words[0] != NULL && words[i] != NULL; i++) {
    if (*words[i] != '\0' && period != NULL) {
      return refuse(error, "KEY or KEY SECONDS, or none, is expected");
    }
    period = *words[i] != '\0' ? words[i] : period;
  }
  if (words[0] == NULL || *words[0] == '\0' || strlen(words[0]) > ANNALS_KMS_KEY_ID_BYTES_MAX) {
    return refuse(error, "a key of 1 to %d bytes, or none, is expected",
                  ANNALS_KMS_KEY_ID_BYTES_MAX);
  }
  if (period != NULL && !g_ascii_string_to_unsigned(period, 10, ANNALS_REUSE_SECONDS_MIN,
                                                    ANNALS_REUSE_SECONDS_MAX, &seconds, NULL)) {
    return refuse(error, "'%s' is no reuse period of %d to %d seconds", period,
                  ANNALS_REUSE_SECONDS_MIN, ANNALS_REUSE_SECONDS_MAX);
  }
  rule->kms_key_id = g_strdup(strcmp(words[0], "none") == 0 ? "" : words[0]);
  rule->reuse_seconds = (int32_t)seconds;
  return true;
}

bool annals_encryption_policy_add(struct annals_encryption_policy *policy, const char *pattern,
                                  const char *text, GError **error) {
  struct rule rule;
  if (!annals_arn_pattern_check(pattern)) {
    return refuse(error,
                  "'%s' is not the ARN of a state machine, such as "
                  "arn:aws:states:*:123456789012:stateMachine:Orders, nor *",
                  pattern);
  }
  for (guint i = 0; i < policy->rules->len; i++) {
    if (strcmp(g_array_index(policy->rules, struct rule, i).pattern, pattern) == 0) {
      return refuse(error, "it stands there twice");
    }
  }
  if (!parse(text, &rule, error)) {
    return false;
  }
  rule.pattern = g_strdup(pattern);
  g_array_append_val(policy->rules, rule);
  return true;
}

struct annals_encryption annals_encryption_policy_find(
    const struct annals_encryption_policy *policy, const char *state_machine_arn) {
  for (guint i = 0; i < policy->rules->len; i++) {
    const struct rule *rule = &g_array_index(policy->rules, struct rule, i);
    if (annals_arn_pattern_matches(rule->pattern, state_machine_arn)) {
      return (struct annals_encryption){
          .given = *rule->kms_key_id != '\0',
          .type = ANNALS_ENCRYPTION_CUSTOMER_MANAGED_KMS_KEY,
          .kms_key_id = rule->kms_key_id,
          .reuse_seconds = rule->reuse_seconds,
      };
    }
  }
  return (struct annals_encryption){.kms_key_id = ""};
}

bool annals_encryption_policy_needs_keys(const struct annals_encryption_policy *policy) {
  for (guint i = 0; i < policy->rules->len; i++) {
    if (*g_array_index(policy->rules, struct rule, i).kms_key_id != '\0') {
      return true;
    }
  }
  return false;
}
