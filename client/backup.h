/*
 * annals backup: has the server make a backup.
 */
#ifndef ANNALS_CLIENT_BACKUP_H_
#define ANNALS_CLIENT_BACKUP_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns an enum annals_exit. */
int annals_backup_command_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
