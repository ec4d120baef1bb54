/*
 * annals restore: a data directory out of a backup.
 */
#ifndef ANNALS_CLIENT_OFFLINE_RESTORE_H_
#define ANNALS_CLIENT_OFFLINE_RESTORE_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns an enum annals_exit. */
int annals_restore_command_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
