/*
 * annals rewrap and annals shred: the data keys of encrypted executions.
 *
 * Floor 2, for the command line.
 */
#ifndef ANNALS_CLIENT_DATA_KEYS_H_
#define ANNALS_CLIENT_DATA_KEYS_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Run the commands with the arguments behind their names; return the exit status. */
int annals_rewrap_command_run(struct annals_cli *cli, char *const *argv);
int annals_shred_command_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
