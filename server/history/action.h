/*
 * What may be allowed and limited: the operations of both transports. action.def is the table.
 *
 * Floor 2.
 */
#ifndef ANNALS_SERVER_HISTORY_ACTION_H_
#define ANNALS_SERVER_HISTORY_ACTION_H_

#include <glib.h>

G_BEGIN_DECLS

enum annals_action {
#define ANNALS_ACTION(action, name) ANNALS_ACTION_##action,
#include "server/history/action.def"
#undef ANNALS_ACTION
  ANNALS_ACTION_COUNT,
};

/* Gives the name that rules have for an action, such as `states:ListExecutions`. Static. */
const char *annals_action_name(enum annals_action action);

/* Gives the name of its operation, such as `ListExecutions`. Static. */
const char *annals_action_operation(enum annals_action action);

G_END_DECLS

#endif
