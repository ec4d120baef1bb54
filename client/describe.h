/*
 * annals describe: one execution as AWS JSON, or as lines for people.
 */
#ifndef ANNALS_CLIENT_DESCRIBE_H_
#define ANNALS_CLIENT_DESCRIBE_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns an enum annals_exit. */
int annals_describe_command_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
