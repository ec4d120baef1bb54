/*
 * How long executions are kept after they have ended.
 *
 * Floor 2. A policy has a period for all, and rules for those of some state machines: a pattern as
 * credentials have it (rule.h), for the state machine's ARN, and a period. The first rule that fits
 * counts. What is built is not changed any more.
 */
#ifndef ANNALS_SERVER_HISTORY_RETENTION_POLICY_H_
#define ANNALS_SERVER_HISTORY_RETENTION_POLICY_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum {
  ANNALS_RETENTION_NEVER = 0, /* the period of what is kept for good */
  ANNALS_RETENTION_DAYS_MAX = 36500,
};

struct annals_retention_policy;

/*
 * Reads a period: a whole number with s, m, h or d behind it, at most ANNALS_RETENTION_DAYS_MAX
 * days, or `never`.
 *
 * Units: seconds.
 * Errors: G_KEY_FILE_ERROR_INVALID_VALUE, saying what is expected. So is a period of nothing.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_retention_period_parse(const char *text, int64_t *ret_s, GError **error);

/* Makes a policy without rules. Memory: the caller frees it. */
struct annals_retention_policy *annals_retention_policy_new(int64_t period_s);
/* NULL is fine. */
void annals_retention_policy_free(struct annals_retention_policy *policy);

/*
 * Adds a rule behind those that there are.
 *
 * Errors: G_KEY_FILE_ERROR_INVALID_VALUE, saying what is wrong with the pattern or the period, or
 *   that the pattern stands in an earlier rule.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_retention_policy_add(struct annals_retention_policy *policy, const char *pattern,
                                 const char *period, GError **error);

/* Tells how long executions of a state machine are kept, in seconds. */
int64_t annals_retention_policy_find(const struct annals_retention_policy *policy,
                                     const char *state_machine_arn);

/* Gives the periods that there are, each once, in ascending order, but for never. Memory: unref. */
G_GNUC_WARN_UNUSED_RESULT
GArray *annals_retention_policy_periods(const struct annals_retention_policy *policy);

G_END_DECLS

#endif
