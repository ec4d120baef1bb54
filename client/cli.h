/*
 * The command line of Annals: options, commands, exit statuses.
 *
 * Floor 2, on annals.h. main.c hands in the arguments and the streams; everything else is here and
 * in the file named after the command.
 */
#ifndef ANNALS_CLIENT_CLI_H_
#define ANNALS_CLIENT_CLI_H_

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/annals.h"
#include "client/connect.h"

G_BEGIN_DECLS

enum annals_exit {
  ANNALS_EXIT_OK = 0,
  ANNALS_EXIT_FAILED = 1,
  ANNALS_EXIT_USAGE = 2,
};

/* What all commands share. */
struct annals_cli {
  FILE *out;
  FILE *err;
  const char *command; /* "import"; NULL before it is known */
  struct annals_connect connect;
  bool offline; /* the command calls no server: set before its arguments are parsed */
  gboolean help;
  int lost_errno; /* why something written to out was lost; 0: not known */
};

struct annals_cli_command {
  const char *name;
  const char *text; /* what it does, for --help */
  int (*run)(struct annals_cli *cli, char *const *argv);
};

/*
 * Runs the command that argv names and returns its enum annals_exit. argv[0] is passed over.
 * Writes results to out and errors, one line each, to err. more: commands beside the CLI's own,
 * ended by one without a name.
 */
int annals_cli_run(int argc, char *const *argv, FILE *out, FILE *err,
                   const struct annals_cli_command *more);

/* What a command takes, for --help and for parsing. */
struct annals_cli_usage {
  const char *arguments;       /* such as "FILE…" */
  const char *text;            /* what the command does */
  const GOptionEntry *entries; /* its options, ending with an empty one */
};

/*
 * Parses a command's arguments, argv[0] being the command's name. --help is added to its options,
 * and unless it works offline, those of connect.h.
 *
 * Errors: returns false when there is nothing more to do, with *ret_exit to exit with: --help was
 *   asked for and printed, or the arguments are wrong and that was said.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_cli_parse(struct annals_cli *cli, char *const *argv,
                      const struct annals_cli_usage *usage, int *ret_exit);

/* Says what is wrong with the arguments and where help is. Returns ANNALS_EXIT_USAGE. */
int annals_cli_usage_error(struct annals_cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Writes one line to err, safe for a terminal: `annals: COMMAND: text`. */
void annals_cli_error(struct annals_cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Gives `REASON: message`. The caller frees it. */
G_GNUC_WARN_UNUSED_RESULT
char *annals_cli_describe(const GError *error);

/* Opens a client for the server asked for. Says what is wrong and returns NULL where the options
 * are: a usage error. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client *annals_cli_connect(struct annals_cli *cli);

/* Tells whether a write to out has just failed, and remembers why: errno is looked at. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_cli_is_lost(struct annals_cli *cli);

/*
 * Flushes out. Returns false when anything written to it was lost, having said so; not when the
 * reader of a pipe has gone, who knows.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_cli_flush(struct annals_cli *cli);

G_END_DECLS

#endif
