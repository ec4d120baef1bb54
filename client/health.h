/*
 * annals health: whether a server takes calls, as an exit status, for probes.
 */
#ifndef ANNALS_CLIENT_HEALTH_H_
#define ANNALS_CLIENT_HEALTH_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns 0: serving, 1: not serving, 2: unable to tell. */
int annals_health_command_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
