/*
 * ARNs of executions and state machines.
 *
 * Floor 2. Source: AWS's naming rules for Step Functions (names: 1 to 80 characters, without white
 * space, brackets, wildcards, `"#%\^|~`$&,;:/` and control characters).
 */
#ifndef ANNALS_SERVER_HISTORY_ARN_H_
#define ANNALS_SERVER_HISTORY_ARN_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

enum {
  ANNALS_ARN_BYTES_MAX = 256,
  ANNALS_MAP_RUN_ARN_BYTES_MAX = 2000,
  ANNALS_NAME_CHARS_MAX = 80,
};

/*
 * Checks arn:PARTITION:states:REGION:ACCOUNT:execution:MACHINE[/LABEL]:NAME.
 *
 * Errors: INVALID_ARN, with AWS's wording where AWS's is known.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_execution_arn_check(const char *arn, GError **error);

/* Checks arn:PARTITION:states:REGION:ACCOUNT:stateMachine:MACHINE[/LABEL]. Errors: INVALID_ARN. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_state_machine_arn_check(const char *arn, GError **error);

/* Checks the same with :VERSION_OR_ALIAS behind it; any: with or without. Errors: INVALID_ARN. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_qualified_state_machine_arn_check(const char *arn, GError **error);
G_GNUC_WARN_UNUSED_RESULT
bool annals_any_state_machine_arn_check(const char *arn, GError **error);

/* Checks arn:PARTITION:states:REGION:ACCOUNT:mapRun:MACHINE/LABEL:NAME. Errors: INVALID_ARN. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_map_run_arn_check(const char *arn, GError **error);

/* Tells whether a map run is of the execution's state machine, whatever their labels; any texts. */
bool annals_map_run_arn_is_of(const char *map_run_arn, const char *execution_arn);

/* Gives the ARN of an execution's state machine. arn has been checked. Memory: g_free() it. */
G_GNUC_WARN_UNUSED_RESULT
char *annals_execution_arn_state_machine(const char *arn);

/* Gives the name of an execution, the end of its ARN: a view. arn has been checked. */
const char *annals_execution_arn_name(const char *arn);

G_END_DECLS

#endif
