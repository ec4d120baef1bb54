#include "client/delete.h"

#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "Deletes executions and their histories, for good.\n"
    "\n"
    "It asks first; without a terminal to ask on, --yes is needed. An execution that does not\n"
    "exist is an error; the others are deleted all the same.";

struct delete {
  struct annals_cli *cli;
  char **arns;
  guint count;
  gboolean yes;
};

static const char *plural(guint count) {
  return count == 1 ? "execution" : "executions";
}

/* Asks on the terminal. */
static bool is_wanted(const struct delete *delete) {
  g_autofree char *line = NULL;
  size_t size = 0;
  fprintf(delete->cli->err, "Delete %u %s? [y/N] ", delete->count, plural(delete->count));
  fflush(delete->cli->err);
  ssize_t length = getline(&line, &size, stdin);
  return length > 0 && (line[0] == 'y' || line[0] == 'Y');
}

static guint delete_all(const struct delete *delete, struct annals_client *client) {
  guint deleted = 0;
  for (guint i = 0; i < delete->count; i++) {
    GError *error = NULL;
    if (annals_client_delete(client, delete->arns[i], &error)) {
      deleted++;
    } else {
      g_autofree char *text = annals_cli_describe(error);
      annals_cli_error(delete->cli, "%s: %s", delete->arns[i], text);
      g_error_free(error);
    }
  }
  return deleted;
}

static bool check_arguments(struct delete *delete, int *ret_exit) {
  delete->count = delete->arns != NULL ? g_strv_length(delete->arns) : 0;
  if (delete->count == 0) {
    *ret_exit = annals_cli_usage_error(delete->cli, "an ARN is missing");
  } else if (!delete->yes && isatty(STDIN_FILENO) != 1) {
    *ret_exit = annals_cli_usage_error(delete->cli, "there is no terminal to ask on: use --yes");
  } else {
    return true;
  }
  return false;
}

static int run(const struct delete *delete) {
  struct annals_client *client = annals_cli_connect(delete->cli);
  if (client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  int status = ANNALS_EXIT_FAILED;
  if (delete->yes || is_wanted(delete)) {
    guint deleted = delete_all(delete, client);
    fprintf(delete->cli->out, "%u %s deleted\n", deleted, plural(deleted));
    if (annals_cli_flush(delete->cli) && deleted == delete->count) {
      status = ANNALS_EXIT_OK;
    }
  }
  annals_client_close(client);
  return status;
}

int annals_delete_command_run(struct annals_cli *cli, char *const *argv) {
  struct delete delete = {.cli = cli};
  const GOptionEntry entries[] = {
      {"yes", 'y', 0, G_OPTION_ARG_NONE, &delete.yes, "Do not ask", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &delete.arns, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"ARN…", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&delete, &status)) {
    status = run(&delete);
  }
  g_strfreev(delete.arns);
  return status;
}
