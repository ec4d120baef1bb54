/*
 * One rule of what a principal may do: `ACTION… on ARN-PATTERN…`.
 *
 * Floor 2. Words are separated by blanks. In both kinds of words `*` stands for any characters,
 * none and colons among them, and `?` for one. Actions are matched without regard to case, ARNs
 * with it.
 * Source: AWS IAM's policies, for wildcards and case.
 */
#ifndef ANNALS_SERVER_HISTORY_RULE_H_
#define ANNALS_SERVER_HISTORY_RULE_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

struct annals_rule {
  char **actions; /* of each, at least one */
  char **arns;
};

/*
 * Reads a rule. Memory: the caller frees it.
 * Errors: G_KEY_FILE_ERROR_INVALID_VALUE, saying what is expected.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_rule *annals_rule_parse(const char *text, GError **error);

void annals_rule_free(struct annals_rule *rule);

/*
 * Tells whether the rule allows the action on what has this ARN; both are UTF-8.
 *
 * Cost: for each pattern no more than the product of its length and its text's.
 */
bool annals_rule_allows(const struct annals_rule *rule, const char *action, const char *arn);

/* Tells whether a word can be a pattern of ARNs: `*` and more, or `arn:` and more. */
bool annals_arn_pattern_check(const char *word);

/* Tells whether an ARN fits a pattern. Cost: as annals_rule_allows. */
bool annals_arn_pattern_matches(const char *pattern, const char *arn);

G_END_DECLS

#endif
