#include "client/cli.h"

#include <errno.h>
#include <string.h>

#include "client/aws_error.h"
#include "client/backup.h"
#include "client/data_keys.h"
#include "client/delete.h"
#include "client/describe.h"
#include "client/export.h"
#include "client/health.h"
#include "client/history.h"
#include "client/import.h"
#include "client/list.h"

static const struct annals_cli_command commands[] = {
    {"import", "Append histories from files of AWS JSON", annals_import_run},
    {"export", "Write histories for another import", annals_export_run},
    {"history", "Print the history of an execution", annals_history_run},
    {"describe", "Print what is known of an execution", annals_describe_command_run},
    {"list", "Print the executions of a state machine", annals_list_command_run},
    {"delete", "Delete executions and their histories", annals_delete_command_run},
    {"rewrap", "Have the data keys of executions wrapped anew", annals_rewrap_command_run},
    {"shred", "Destroy the data keys of executions", annals_shred_command_run},
    {"backup", "Have the server make a backup", annals_backup_command_run},
    {"health", "Tell whether a server takes calls", annals_health_command_run},
    {NULL, NULL, NULL},
};

/* A server or a file, and its name, may say anything: control characters must not reach the
 * terminal. */
static char *one_line(const char *text) {
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *line = g_string_new(NULL);
  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    g_string_append_unichar(line, g_unichar_iscntrl(c) ? ' ' : c);
  }
  return g_string_free(line, FALSE);
}

G_GNUC_PRINTF(2, 0)
static void write_line(struct annals_cli *cli, const char *format, va_list args) {
  g_autofree char *text = g_strdup_vprintf(format, args);
  g_autofree char *line = one_line(text);
  fputs("annals: ", cli->err);
  if (cli->command != NULL) {
    fprintf(cli->err, "%s: ", cli->command);
  }
  fprintf(cli->err, "%s\n", line);
}

void annals_cli_error(struct annals_cli *cli, const char *format, ...) {
  va_list args;
  va_start(args, format);
  write_line(cli, format, args);
  va_end(args);
}

int annals_cli_usage_error(struct annals_cli *cli, const char *format, ...) {
  va_list args;
  va_start(args, format);
  write_line(cli, format, args);
  va_end(args);
  fprintf(cli->err, "Try 'annals %s%s--help'.\n", cli->command != NULL ? cli->command : "",
          cli->command != NULL ? " " : "");
  return ANNALS_EXIT_USAGE;
}

char *annals_cli_describe(const GError *error) {
  const char *reason = annals_client_error_reason(error);
  if (error->domain == ANNALS_AWS_ERROR) {
    reason = annals_aws_error_reason(error->code);
  } else if (reason[0] == '\0') {
    reason = annals_client_code_name(error->code);
  }
  return g_strdup_printf("%s: %s", reason, error->message);
}

static bool parse(struct annals_cli *cli, GOptionContext *context, char ***argv, int *ret_exit) {
  GError *error = NULL;
  *ret_exit = ANNALS_EXIT_OK;
  if (!g_option_context_parse_strv(context, argv, &error)) {
    *ret_exit = annals_cli_usage_error(cli, "%s", error->message);
    g_error_free(error);
    return false;
  }
  if (cli->help) {
    g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);
    fputs(help, cli->out);
    *ret_exit = annals_cli_flush(cli) ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
    return false;
  }
  return true;
}

/* GLib's own --help would end the process and know nothing of cli->out. */
static GOptionContext *context_new(struct annals_cli *cli, const char *usage, const char *text,
                                   const GOptionEntry *own) {
  const GOptionEntry shared[] = {
      {"help", 'h', 0, G_OPTION_ARG_NONE, &cli->help, "Print this", NULL},
      G_OPTION_ENTRY_NULL,
  };
  GOptionContext *context = g_option_context_new(usage);
  g_option_context_set_help_enabled(context, FALSE);
  g_option_context_set_summary(context, text);
  if (own != NULL) {
    g_option_context_add_main_entries(context, own, NULL);
  }
  if (!cli->offline) {
    annals_connect_add_options(&cli->connect, context);
  }
  g_option_context_add_main_entries(context, shared, NULL);
  return context;
}

bool annals_cli_parse(struct annals_cli *cli, char *const *argv,
                      const struct annals_cli_usage *usage, int *ret_exit) {
  g_autofree char *name = g_strconcat("annals ", cli->command, NULL);
  g_set_prgname(name);
  g_autoptr(GOptionContext) context =
      context_new(cli, usage->arguments, usage->text, usage->entries);
  g_auto(GStrv) args = g_strdupv((char **)argv);
  /* Given before the command and after it, the later one counts. */
  struct annals_connect before = cli->connect;
  cli->connect = (struct annals_connect){0};
  bool ok = parse(cli, context, &args, ret_exit);
  annals_connect_merge(&cli->connect, &before);
  return ok;
}

struct annals_client *annals_cli_connect(struct annals_cli *cli) {
  GError *error = NULL;
  struct annals_client *client = annals_connect_open(&cli->connect, &error);
  if (client == NULL) {
    annals_cli_usage_error(cli, "%s", error->message);
    g_error_free(error);
  }
  return client;
}

bool annals_cli_is_lost(struct annals_cli *cli) {
  if (ferror(cli->out) != 0 && cli->lost_errno == 0) {
    cli->lost_errno = errno;
  }
  return ferror(cli->out) != 0;
}

bool annals_cli_flush(struct annals_cli *cli) {
  if (!annals_cli_is_lost(cli) && fflush(cli->out) == 0) {
    return true;
  }
  int why = cli->lost_errno != 0 ? cli->lost_errno : errno;
  if (why != EPIPE) {
    annals_cli_error(cli, "standard output: %s", g_strerror(why));
  }
  return false;
}

static void add_help(GString *text, const struct annals_cli_command *of) {
  for (; of != NULL && of->name != NULL; of++) {
    g_string_append_printf(text, "  %-10s%s\n", of->name, of->text);
  }
}

static char *main_help(const struct annals_cli_command *more) {
  GString *text = g_string_new(
      "Appends histories of workflow executions to Annals and prints "
      "them.\n\nCommands:\n");
  add_help(text, commands);
  add_help(text, more);
  g_string_append(text,
                  "\n'annals COMMAND --help' tells more of each.\n\n"
                  "Exit status: 0 done, 1 failed, 2 wrong arguments.");
  return g_string_free(text, FALSE);
}

static const struct annals_cli_command *find(const struct annals_cli_command *in,
                                             const char *name) {
  for (; in != NULL && in->name != NULL; in++) {
    if (strcmp(in->name, name) == 0) {
      return in;
    }
  }
  return NULL;
}

static int run_command(struct annals_cli *cli, char *const *argv,
                       const struct annals_cli_command *more) {
  const struct annals_cli_command *command = find(commands, argv[0]);
  command = command != NULL ? command : find(more, argv[0]);
  if (command == NULL) {
    return annals_cli_usage_error(cli, "there is no command '%s'", argv[0]);
  }
  cli->command = command->name;
  return command->run(cli, argv);
}

int annals_cli_run(int argc, char *const *argv, FILE *out, FILE *err,
                   const struct annals_cli_command *more) {
  struct annals_cli cli = {.out = out, .err = err};
  g_auto(GStrv) args = argc > 0 ? g_strdupv((char **)argv) : g_new0(char *, 1);
  g_set_prgname("annals");
  g_autofree char *text = main_help(more);
  g_autoptr(GOptionContext) context = context_new(&cli, "COMMAND …", text, NULL);
  /* What follows the command is the command's. */
  g_option_context_set_strict_posix(context, TRUE);
  int status;
  if (parse(&cli, context, &args, &status)) {
    status = g_strv_length(args) > 1 ? run_command(&cli, args + 1, more)
                                     : annals_cli_usage_error(&cli, "a command is missing");
  }
  annals_connect_clear(&cli.connect);
  return status;
}
