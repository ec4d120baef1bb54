/*
 * annals verify: checks a store, and repairs it.
 */
#ifndef ANNALS_CLIENT_OFFLINE_VERIFY_H_
#define ANNALS_CLIENT_OFFLINE_VERIFY_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns 0 where nothing is wrong (any more), 1 where
 * something is, 2 where that could not be found out. */
int annals_verify_command_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
