/*
 * annals list: the executions of a state machine or map run, as AWS JSON or as a table.
 */
#ifndef ANNALS_CLIENT_LIST_H_
#define ANNALS_CLIENT_LIST_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns an enum annals_exit. */
int annals_list_command_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
