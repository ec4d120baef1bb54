#include "server/history/retention_policy.h"

#include <string.h>

#include "server/history/rule.h"

struct rule {
  char *pattern;
  int64_t period_s;
};

struct annals_retention_policy {
  int64_t period_s;
  GArray *rules; /* struct rule */
};

enum { SECONDS_PER_DAY = 24 * 60 * 60 };

static int64_t unit_seconds(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 60 * 60;
    case 'd':
      return SECONDS_PER_DAY;
    default:
      return 0;
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

bool annals_retention_period_parse(const char *text, int64_t *ret_s, GError **error) {
  if (strcmp(text, "never") == 0) {
    *ret_s = ANNALS_RETENTION_NEVER;
    return true;
  }
  size_t digits = strspn(text, G_CSET_DIGITS);
  int64_t unit_s = digits > 0 ? unit_seconds(text[digits]) : 0;
  if (unit_s == 0 || text[digits + 1] != '\0') {
    return refuse(error, "'%s' is not a time such as 90d, 12h, 30m or 45s, nor 'never'", text);
  }
  /* More digits than a number holds give the greatest one. */
  guint64 count = g_ascii_strtoull(text, NULL, 10);
  guint64 count_max = (guint64)ANNALS_RETENTION_DAYS_MAX * SECONDS_PER_DAY / (guint64)unit_s;
  if (count == 0 || count > count_max) {
    return refuse(error, "'%s' is not 1s to %dd; what is kept for good is 'never'", text,
                  ANNALS_RETENTION_DAYS_MAX);
  }
  *ret_s = (int64_t)count * unit_s;
  return true;
}

static void clear_rule(gpointer data) {
  g_free(((struct rule *)data)->pattern);
}

struct annals_retention_policy *annals_retention_policy_new(int64_t period_s) {
  struct annals_retention_policy *policy = g_new(struct annals_retention_policy, 1);
  *policy = (struct annals_retention_policy){
      .period_s = period_s,
      .rules = g_array_new(FALSE, FALSE, sizeof(struct rule)),
  };
  g_array_set_clear_func(policy->rules, clear_rule);
  return policy;
}

void annals_retention_policy_free(struct annals_retention_policy *policy) {
  if (policy != NULL) {
    g_array_unref(policy->rules);
    g_free(policy);
  }
}

bool annals_retention_policy_add(struct annals_retention_policy *policy, const char *pattern,
                                 const char *period, GError **error) {
  int64_t period_s;
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
  if (!annals_retention_period_parse(period, &period_s, error)) {
    return false;
  }
  struct rule rule = {.pattern = g_strdup(pattern), .period_s = period_s};
  g_array_append_val(policy->rules, rule);
  return true;
}

int64_t annals_retention_policy_find(const struct annals_retention_policy *policy,
                                     const char *state_machine_arn) {
  for (guint i = 0; i < policy->rules->len; i++) {
    const struct rule *rule = &g_array_index(policy->rules, struct rule, i);
    if (annals_arn_pattern_matches(rule->pattern, state_machine_arn)) {
      return rule->period_s;
    }
  }
  return policy->period_s;
}

static int compare_periods(gconstpointer a, gconstpointer b) {
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

GArray *annals_retention_policy_periods(const struct annals_retention_policy *policy) {
  GArray *periods = g_array_new(FALSE, FALSE, sizeof(int64_t));
  g_array_append_val(periods, policy->period_s);
  for (guint i = 0; i < policy->rules->len; i++) {
    g_array_append_val(periods, g_array_index(policy->rules, struct rule, i).period_s);
  }
  g_array_sort(periods, compare_periods);
  guint count = 0;
  int64_t last_s = ANNALS_RETENTION_NEVER;
  for (guint i = 0; i < periods->len; i++) {
    int64_t period_s = g_array_index(periods, int64_t, i);
    if (period_s != last_s) {
      g_array_index(periods, int64_t, count++) = last_s = period_s;
    }
  }
  g_array_set_size(periods, count);
  return periods;
}
