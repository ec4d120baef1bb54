#include "server/history/rule.h"

#include <string.h>

static bool equal(gunichar a, gunichar b, bool fold_case) {
  return a == b || (fold_case && a < 0x80 && b < 0x80 &&
                    g_ascii_tolower((gchar)a) == g_ascii_tolower((gchar)b));
}

/*
 * Where a character does not fit, the last `*` takes one more: earlier ones never have to, as what
 * they could reach, the last one can.
 */
static bool matches(const char *pattern, const char *text, bool fold_case) {
  const char *star = NULL;
  const char *star_text = NULL;
  while (*text != '\0') {
    if (*pattern == '*') {
      star = ++pattern;
      star_text = text;
    } else if (*pattern == '?' || (*pattern != '\0' && equal(g_utf8_get_char(pattern),
                                                             g_utf8_get_char(text), fold_case))) {
      pattern = g_utf8_next_char(pattern);
      text = g_utf8_next_char(text);
    } else if (star != NULL) {
      pattern = star;
      text = star_text = g_utf8_next_char(star_text);
    } else {
      return false;
    }
  }
  return pattern[strspn(pattern, "*")] == '\0';
}

static bool any_matches(char **patterns, const char *text, bool fold_case) {
  for (; *patterns != NULL; patterns++) {
    if (matches(*patterns, text, fold_case)) {
      return true;
    }
  }
  return false;
}

/* `*`, or a service and an operation. */
static bool is_action(const char *word) {
  const char *colon = strchr(word, ':');
  return strcmp(word, "*") == 0 || (colon != NULL && colon != word && colon[1] != '\0' &&
                                    strchr(colon + 1, ':') == NULL && g_str_is_ascii(word));
}

bool annals_arn_pattern_check(const char *word) {
  return *word == '*' || g_str_has_prefix(word, "arn:");
}

bool annals_arn_pattern_matches(const char *pattern, const char *arn) {
  return matches(pattern, arn, false);
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

/* Takes words up to end, or to the last when end is NULL; returns the word behind them. */
static char **take_words(char **words, const char *end, GPtrArray *ret_words) {
  for (; *words != NULL && g_strcmp0(*words, end) != 0; words++) {
    if (**words != '\0') {
      g_ptr_array_add(ret_words, g_strdup(*words));
    }
  }
  return words;
}

static char **steal(GPtrArray *words) {
  g_ptr_array_add(words, NULL);
  return (char **)g_ptr_array_free(words, FALSE);
}

static bool check(const struct annals_rule *rule, GError **error) {
  if (*rule->actions == NULL || *rule->arns == NULL) {
    return refuse(error, "ACTION… on ARN… is expected");
  }
  for (char **action = rule->actions; *action != NULL; action++) {
    if (!is_action(*action)) {
      return refuse(error, "'%s' is not an action, such as states:GetExecutionHistory or states:*",
                    *action);
    }
  }
  for (char **arn = rule->arns; *arn != NULL; arn++) {
    if (!annals_arn_pattern_check(*arn)) {
      return refuse(error, "'%s' is not an ARN, such as arn:aws:states:*:123456789012:*, nor *",
                    *arn);
    }
  }
  return true;
}

struct annals_rule *annals_rule_parse(const char *text, GError **error) {
  g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
  GPtrArray *actions = g_ptr_array_new();
  GPtrArray *arns = g_ptr_array_new();
  char **rest = take_words(words, "on", actions);
  if (*rest != NULL) {
    take_words(rest + 1, NULL, arns);
  }
  struct annals_rule *rule = g_new(struct annals_rule, 1);
  *rule = (struct annals_rule){.actions = steal(actions), .arns = steal(arns)};
  if (!check(rule, error)) {
    annals_rule_free(rule);
    return NULL;
  }
  return rule;
}

void annals_rule_free(struct annals_rule *rule) {
  if (rule != NULL) {
    g_strfreev(rule->actions);
    g_strfreev(rule->arns);
    g_free(rule);
  }
}

bool annals_rule_allows(const struct annals_rule *rule, const char *action, const char *arn) {
  return any_matches(rule->actions, action, true) && any_matches(rule->arns, arn, false);
}
