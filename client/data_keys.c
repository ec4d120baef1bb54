#include "client/data_keys.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 3600 * 1000 };

static const char rewrap_help[] =
    "Has the key service wrap the data keys of executions anew: by the newest version of their\n"
    "key, or by the one that its alias names by now. Events are not touched. Of a state machine,\n"
    "executions that are not encrypted are passed over.";

static const char shred_help[] =
    "Destroys the data keys of executions, and with them their inputs, outputs, variables, errors\n"
    "and causes, for good. Listings and histories without execution data stay; nothing more is\n"
    "appended. Backups have the keys as they were.\n"
    "\n"
    "It asks first; without a terminal to ask on, --yes is needed.";

struct data_keys {
  struct annals_cli *cli;
  bool (*change)(struct annals_client *client, const char *execution_arn, int64_t *ret_count,
                 GError **error);
  const char *done;
  bool asks;
  char **arns;
  char *state_machine;
  gboolean yes;
  struct annals_client *client;
  int64_t executions;
  int64_t keys;
  bool failed;
};

static void fail(struct data_keys *self, const char *what, GError *error) {
  g_autofree char *text = annals_cli_describe(error);
  annals_cli_error(self->cli, "%s: %s", what, text);
  g_error_free(error);
  self->failed = true;
}

/* An execution of a state machine may well not be encrypted; one that is named should be. */
static bool is_passed_over(const struct data_keys *self, const GError *error) {
  return self->state_machine != NULL &&
         strcmp(annals_client_error_reason(error), "INVALID_REQUEST") == 0;
}

static void change(struct data_keys *self, const char *execution_arn) {
  GError *error = NULL;
  int64_t count;
  if (self->change(self->client, execution_arn, &count, &error)) {
    self->executions++;
    self->keys += count;
  } else if (is_passed_over(self, error)) {
    g_error_free(error);
  } else {
    fail(self, execution_arn, error);
  }
}

static void change_listed(struct data_keys *self) {
  const struct annals_client_list_request request = {
      .state_machine_arn = self->state_machine,
      .max_results = 1000,
  };
  struct annals_client_lister *lister = annals_client_lister_new(self->client, &request);
  const Annals__V1__ExecutionListItem *execution = NULL;
  GError *error = NULL;
  while (annals_client_lister_next_execution(lister, &execution, &error) && execution != NULL) {
    change(self, execution->execution_arn);
  }
  if (error != NULL) {
    fail(self, self->state_machine, error);
  }
  annals_client_lister_free(lister);
}

/* Asks on the terminal. */
static bool is_wanted(const struct data_keys *self) {
  g_autofree char *line = NULL;
  size_t size = 0;
  if (self->state_machine != NULL) {
    fprintf(self->cli->err, "Shred all executions of %s? [y/N] ", self->state_machine);
  } else {
    fprintf(self->cli->err, "Shred %u executions? [y/N] ", g_strv_length(self->arns));
  }
  fflush(self->cli->err);
  ssize_t length = getline(&line, &size, stdin);
  return length > 0 && (line[0] == 'y' || line[0] == 'Y');
}

static int run(struct data_keys *self) {
  self->cli->connect.timeout_ms = TIMEOUT_MS;
  self->client = annals_cli_connect(self->cli);
  if (self->client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  bool ok = !self->asks || self->yes || is_wanted(self);
  if (ok) {
    for (char **arn = self->arns; arn != NULL && *arn != NULL; arn++) {
      change(self, *arn);
    }
    if (self->state_machine != NULL) {
      change_listed(self);
    }
    fprintf(self->cli->out, "%" PRId64 " data keys of %" PRId64 " executions %s\n", self->keys,
            self->executions, self->done);
    ok = annals_cli_flush(self->cli) && !self->failed;
  }
  annals_client_close(self->client);
  return ok ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

static bool check_arguments(const struct data_keys *self, int *ret_exit) {
  if ((self->arns != NULL) == (self->state_machine != NULL)) {
    *ret_exit = annals_cli_usage_error(self->cli, "either ARN… or --state-machine is wanted");
  } else if (self->asks && !self->yes && isatty(STDIN_FILENO) != 1) {
    *ret_exit = annals_cli_usage_error(self->cli, "there is no terminal to ask on: use --yes");
  } else {
    return true;
  }
  return false;
}

static int parse_and_run(struct data_keys *self, char *const *argv, const char *help) {
  const GOptionEntry entries[] = {
      {"state-machine", 0, 0, G_OPTION_ARG_FILENAME, &self->state_machine,
       "All executions of a state machine, version or alias", "ARN"},
      {"yes", 'y', self->asks ? 0 : G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &self->yes,
       "Do not ask", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &self->arns, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"[ARN…]", help, entries};
  int status;
  if (annals_cli_parse(self->cli, argv, &usage, &status) && check_arguments(self, &status)) {
    status = run(self);
  }
  g_strfreev(self->arns);
  g_free(self->state_machine);
  return status;
}

int annals_rewrap_command_run(struct annals_cli *cli, char *const *argv) {
  struct data_keys self = {
      .cli = cli,
      .change = annals_client_rewrap_data_keys,
      .done = "rewrapped",
  };
  return parse_and_run(&self, argv, rewrap_help);
}

int annals_shred_command_run(struct annals_cli *cli, char *const *argv) {
  struct data_keys self = {
      .cli = cli,
      .change = annals_client_destroy_data_keys,
      .done = "shredded",
      .asks = true,
  };
  return parse_and_run(&self, argv, shred_help);
}
