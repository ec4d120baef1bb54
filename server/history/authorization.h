/*
 * Whether a caller may do what it asks for.
 *
 * Floor 2. What is not allowed is denied. Every operation of the domain asks here, behind the
 * checks of its request's constraints and ARN, before it looks at a page token or at what exists;
 * so no transport can forget to.
 */
#ifndef ANNALS_SERVER_HISTORY_AUTHORIZATION_H_
#define ANNALS_SERVER_HISTORY_AUTHORIZATION_H_

#include "server/history/credentials.h"
#include "server/history/history.h"

G_BEGIN_DECLS

enum annals_action {
#define ANNALS_ACTION(action, name) ANNALS_ACTION_##action,
#include "server/history/action.def"
#undef ANNALS_ACTION
};

/* Gives the name that rules have for an action. Static. */
const char *annals_action_name(enum annals_action action);

/*
 * Tells whether a principal may perform an action on what has this ARN.
 *
 * principal NULL: a caller whom nobody asked who it is, and who may do everything. arn: the
 * resource that AWS's policies have for the action (an execution's; a state machine's for
 * ListExecutions); `*` where there is none.
 * Errors: PERMISSION_DENIED, in AWS's words.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_authorize(struct annals_history *history, const struct annals_principal *principal,
                      enum annals_action action, const char *arn, GError **error);

G_END_DECLS

#endif
