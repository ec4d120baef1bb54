/*
 * annals import: files of AWS JSON become histories.
 */
#ifndef ANNALS_CLIENT_IMPORT_H_
#define ANNALS_CLIENT_IMPORT_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns an enum annals_exit. */
int annals_import_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
