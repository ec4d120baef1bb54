/*
 * Whether a caller may do what it asks for, and as often as it does.
 *
 * Floor 2. What is not allowed is denied. Every operation of the domain calls
 * annals_authorize, behind the checks of its request's constraints and ARN, before it looks at a
 * page token or at what exists; so no transport can forget to.
 */
#ifndef ANNALS_SERVER_HISTORY_AUTHORIZATION_H_
#define ANNALS_SERVER_HISTORY_AUTHORIZATION_H_

#include "server/history/action.h"
#include "server/history/credentials.h"
#include "server/history/history.h"

G_BEGIN_DECLS

/*
 * Tells whether a principal may perform an action on what has this ARN.
 *
 * principal NULL: a caller whom nobody asked who it is, and who may do everything. arn: the
 * resource that AWS's policies have for the action (an execution's; a state machine's for
 * ListExecutions); `*` where there is none.
 * Errors: PERMISSION_DENIED, in AWS's words.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_check_permission(const struct annals_principal *principal, enum annals_action action,
                             const char *arn, GError **error);

/*
 * Lets a call of an operation begin: once for each, with what it is about.
 *
 * Errors: as annals_check_permission; then RATE_EXCEEDED, when the principal's quota is used up.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_authorize(struct annals_history *history, const struct annals_principal *principal,
                      enum annals_action action, const char *arn, GError **error);

G_END_DECLS

#endif
