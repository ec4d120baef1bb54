/*
 * The commands that work on files that no server has open: without a server, and with the storage
 * engine.
 *
 * Floor 3, on the CLI and the engine. main.c hands them to the CLI.
 */
#ifndef ANNALS_CLIENT_OFFLINE_OFFLINE_H_
#define ANNALS_CLIENT_OFFLINE_OFFLINE_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Ended by one without a name. */
extern const struct annals_cli_command annals_offline_commands[];

G_END_DECLS

#endif
