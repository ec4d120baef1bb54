#include "client/health.h"

enum {
  EXIT_SERVING = 0,
  EXIT_NOT_SERVING = 1,
  EXIT_UNABLE = 2,
  TIMEOUT_S_DEFAULT = 3,
  TIMEOUT_S_MAX = 3600,
  MS_PER_S = 1000,
};

static const char help[] =
    "Asks a server whether it takes calls, through grpc.health.v1, and prints SERVING or\n"
    "NOT_SERVING, as it is while it starts and stops. For probes of containers.\n"
    "\n"
    "Exit status: 0 serving, 1 not serving, 2 when nobody answered in time, or wrong arguments.";

struct health {
  struct annals_cli *cli;
  char **services;
  int timeout_s;
};

static int run(const struct health *health) {
  health->cli->connect.timeout_ms = (int64_t)health->timeout_s * MS_PER_S;
  struct annals_client *client = annals_cli_connect(health->cli);
  if (client == NULL) {
    return EXIT_UNABLE;
  }
  const char *service = health->services != NULL ? health->services[0] : NULL;
  bool serving;
  GError *error = NULL;
  bool ok = annals_client_is_serving(client, service, &serving, &error);
  if (ok) {
    fprintf(health->cli->out, "%s\n", serving ? "SERVING" : "NOT_SERVING");
    ok = annals_cli_flush(health->cli);
  } else {
    g_autofree char *text = annals_cli_describe(error);
    annals_cli_error(health->cli, "%s", text);
    g_error_free(error);
  }
  annals_client_close(client);
  if (!ok) {
    return EXIT_UNABLE;
  }
  return serving ? EXIT_SERVING : EXIT_NOT_SERVING;
}

static bool check_arguments(const struct health *health, int *ret_exit) {
  guint count = health->services != NULL ? g_strv_length(health->services) : 0;
  if (count > 1) {
    *ret_exit = annals_cli_usage_error(health->cli, "one SERVICE is enough, not %u", count);
  } else if (health->timeout_s < 1 || health->timeout_s > TIMEOUT_S_MAX) {
    *ret_exit = annals_cli_usage_error(health->cli, "--timeout is 1 to %d", TIMEOUT_S_MAX);
  } else {
    return true;
  }
  return false;
}

int annals_health_command_run(struct annals_cli *cli, char *const *argv) {
  struct health health = {.cli = cli, .timeout_s = TIMEOUT_S_DEFAULT};
  const GOptionEntry entries[] = {
      {"timeout", 0, 0, G_OPTION_ARG_INT, &health.timeout_s, "Wait so long for an answer (3)",
       "SECONDS"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &health.services, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"[SERVICE]", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&health, &status)) {
    status = run(&health);
  }
  g_strfreev(health.services);
  return status;
}
