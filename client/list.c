#include "client/list.h"

#include <string.h>

#include "client/aws_time.h"
#include "client/json_page.h"
#include "client/table.h"

enum {
  PAGE_EXECUTIONS = 1000, /* the server's maximum: the fewest calls */
  MAX_RESULTS_ABSENT = G_MININT,
};

static const char help[] =
    "Prints the executions of a state machine, or of one of its versions, aliases or map runs,\n"
    "those that started last first.\n"
    "\n"
    "Without --max-results and --next-token it is all of them. With one of them it is one page, "
    "as\n"
    "from AWS: at most N executions (100 if N is 0 or not given) and, if there are more,\n"
    "\"nextToken\" for the next page's --next-token. The other options must be the same for all\n"
    "pages.\n"
    "\n"
    "json is AWS's form, one execution per line: {\"executions\":[…]}. table has columns for "
    "people;\n"
    "times are UTC, and lines are cut to the width of a terminal.";

struct list {
  struct annals_cli *cli;
  struct annals_client *client;
  struct annals_schema *schema;
  const struct annals_message *message; /* ExecutionListItem */
  char **arns;
  char *map_run;
  char *status;
  int32_t status_number;
  gboolean redriven;
  gboolean not_redriven;
  int max_results;
  char *next_token;
  char *output;
  bool json;
  size_t table_width;
  struct annals_json_page page;
};

static bool is_single_page(const struct list *list) {
  return list->max_results != MAX_RESULTS_ABSENT || list->next_token != NULL;
}

static void begin(struct list *list) {
  if (list->json) {
    annals_json_page_begin(&list->page, "executions");
  } else {
    g_autofree char *line = g_strdup_printf("%-24s  %-24s  %-9s  %8s  %s", "STARTED", "STOPPED",
                                            "STATUS", "REDRIVES", "EXECUTION");
    annals_table_write_line(line, list->table_width, list->cli->out);
  }
}

static void time_text(const Google__Protobuf__Timestamp *time,
                      char ret_text[ANNALS_TIME_TEXT_SIZE]) {
  if (time != NULL) {
    annals_time_to_text((struct annals_time){time->seconds, time->nanos}, ret_text);
  } else {
    g_strlcpy(ret_text, "-", ANNALS_TIME_TEXT_SIZE);
  }
}

static void write_row(const struct list *list, const Annals__V1__ExecutionListItem *execution) {
  const struct annals_name *status = annals_names_get(
      annals_message_field_named(list->message, "status")->names, execution->status);
  char started[ANNALS_TIME_TEXT_SIZE];
  char stopped[ANNALS_TIME_TEXT_SIZE];
  time_text(execution->start_date, started);
  time_text(execution->stop_date, stopped);
  g_autofree char *arn = g_utf8_make_valid(execution->execution_arn, -1);
  g_autofree char *line =
      g_strdup_printf("%-24s  %-24s  %-9s  %8d  %s", started, stopped,
                      status != NULL ? status->text : "?", execution->redrive_count, arn);
  annals_table_write_line(line, list->table_width, list->cli->out);
}

static bool write_execution(struct list *list, struct annals_client_listing *listing,
                            size_t index) {
  if (list->json) {
    struct annals_client_bytes bytes = annals_client_listing_execution_bytes(listing, index);
    return annals_json_page_write(&list->page, list->message, bytes.data, bytes.size);
  }
  const Annals__V1__ExecutionListItem *execution =
      annals_client_listing_execution(listing, index, NULL);
  if (execution != NULL) {
    write_row(list, execution);
  }
  return execution != NULL;
}

static void end(struct list *list, const char *next_token) {
  if (list->json) {
    annals_json_page_end(&list->page, next_token);
  } else if (next_token[0] != '\0') {
    fprintf(list->cli->out, "next token: %s\n", next_token);
  }
}

/* Prints one page; gives up where nobody reads any more. */
static bool print_page(struct list *list, struct annals_client_listing *listing) {
  for (size_t i = 0; i < annals_client_listing_execution_count(listing); i++) {
    if (!write_execution(list, listing, i)) {
      annals_cli_error(list->cli, "the server sent an execution that this program does not know");
      return false;
    }
    if (annals_cli_is_lost(list->cli)) {
      return false;
    }
  }
  return true;
}

/* Page by page: memory stays that of one page. Nothing is printed before the first is there. */
static bool print_list(struct list *list, struct annals_client_lister *lister, GError **error) {
  struct annals_client_listing *listing;
  if (!annals_client_lister_next(lister, &listing, error)) {
    return false;
  }
  begin(list);
  g_autofree char *next_token = g_strdup("");
  while (listing != NULL) {
    if (!print_page(list, listing)) {
      return false;
    }
    if (is_single_page(list)) {
      g_free(next_token);
      next_token = g_strdup(annals_client_listing_next_token(listing));
      break;
    }
    if (!annals_client_lister_next(lister, &listing, error)) {
      return false;
    }
  }
  end(list, next_token);
  return true;
}

static Annals__V1__ExecutionRedriveFilter redrive_filter(const struct list *list) {
  if (list->redriven) {
    return ANNALS__V1__EXECUTION_REDRIVE_FILTER__EXECUTION_REDRIVE_FILTER_REDRIVEN;
  }
  return list->not_redriven
             ? ANNALS__V1__EXECUTION_REDRIVE_FILTER__EXECUTION_REDRIVE_FILTER_NOT_REDRIVEN
             : ANNALS__V1__EXECUTION_REDRIVE_FILTER__EXECUTION_REDRIVE_FILTER_UNSPECIFIED;
}

static bool read_and_print(struct list *list) {
  struct annals_client_list_request request = {
      .state_machine_arn = list->arns != NULL ? list->arns[0] : NULL,
      .map_run_arn = list->map_run,
      .status_filter = (Annals__V1__ExecutionStatus)list->status_number,
      .redrive_filter = redrive_filter(list),
      .max_results = is_single_page(list) ? MAX(list->max_results, 0) : PAGE_EXECUTIONS,
      .next_token = list->next_token,
  };
  struct annals_client_lister *lister = annals_client_lister_new(list->client, &request);
  GError *error = NULL;
  bool ok = print_list(list, lister, &error);
  annals_client_lister_free(lister);
  ok = annals_cli_flush(list->cli) && ok;
  if (error != NULL) {
    g_autofree char *text = annals_cli_describe(error);
    annals_cli_error(list->cli, "%s", text);
    g_error_free(error);
  }
  return ok;
}

/* `RUNNING, SUCCEEDED, …` */
static char *known_statuses(const struct annals_names *names) {
  GString *text = g_string_new(names->names[1].text);
  for (size_t i = 2; i < names->count; i++) {
    g_string_append_printf(text, ", %s", names->names[i].text);
  }
  return g_string_free(text, FALSE);
}

static bool check_status(struct list *list, int *ret_exit) {
  const struct annals_names *names = annals_message_field_named(list->message, "status")->names;
  if (list->status == NULL) {
    return true;
  }
  list->status_number = annals_names_number(names, list->status);
  if (list->status_number == 0) {
    g_autofree char *known = known_statuses(names);
    *ret_exit =
        annals_cli_usage_error(list->cli, "--status is one of %s, not '%s'", known, list->status);
    return false;
  }
  return true;
}

static bool check_arguments(struct list *list, int *ret_exit) {
  struct annals_cli *cli = list->cli;
  guint arn_count = list->arns != NULL ? g_strv_length(list->arns) : 0;
  const char *output = list->output != NULL ? list->output : "json";
  list->json = strcmp(output, "json") == 0;
  if (arn_count == 0 && list->map_run == NULL) {
    *ret_exit = annals_cli_usage_error(cli, "a STATE_MACHINE_ARN or --map-run is missing");
  } else if (arn_count > 0 && list->map_run != NULL) {
    *ret_exit = annals_cli_usage_error(cli, "STATE_MACHINE_ARN and --map-run exclude each other");
  } else if (arn_count > 1) {
    *ret_exit = annals_cli_usage_error(cli, "one ARN is wanted, not %u", arn_count);
  } else if (list->redriven && list->not_redriven) {
    *ret_exit = annals_cli_usage_error(cli, "--redriven and --not-redriven exclude each other");
  } else if (list->max_results != MAX_RESULTS_ABSENT &&
             (list->max_results < 0 || list->max_results > PAGE_EXECUTIONS)) {
    *ret_exit = annals_cli_usage_error(cli, "--max-results is 0 to %d", (int)PAGE_EXECUTIONS);
  } else if (!list->json && strcmp(output, "table") != 0) {
    *ret_exit = annals_cli_usage_error(cli, "--output is json or table, not '%s'", output);
  } else {
    return check_status(list, ret_exit);
  }
  return false;
}

static int run(struct list *list) {
  list->client = annals_cli_connect(list->cli);
  if (list->client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  annals_json_page_init(&list->page, list->cli->out);
  list->table_width = annals_table_width(list->cli->out);
  bool ok = read_and_print(list);
  annals_json_page_clear(&list->page);
  annals_client_close(list->client);
  return ok ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

int annals_list_command_run(struct annals_cli *cli, char *const *argv) {
  struct list list = {.cli = cli, .max_results = MAX_RESULTS_ABSENT};
  const GOptionEntry entries[] = {
      {"map-run", 0, 0, G_OPTION_ARG_FILENAME, &list.map_run,
       "The executions of this map run, in place of a state machine's", "ARN"},
      {"status", 0, 0, G_OPTION_ARG_FILENAME, &list.status,
       "Those that are RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED", "STATUS"},
      {"redriven", 0, 0, G_OPTION_ARG_NONE, &list.redriven, "Those redriven at least once", NULL},
      {"not-redriven", 0, 0, G_OPTION_ARG_NONE, &list.not_redriven, "Those never redriven", NULL},
      {"max-results", 0, 0, G_OPTION_ARG_INT, &list.max_results,
       "One page of at most N executions, 0 to 1000", "N"},
      {"next-token", 0, 0, G_OPTION_ARG_FILENAME, &list.next_token,
       "The page that a nextToken was for", "TOKEN"},
      {"output", 0, 0, G_OPTION_ARG_FILENAME, &list.output, "json (the default) or table",
       "FORMAT"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &list.arns, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"STATE_MACHINE_ARN", help, entries};
  int status;
  list.schema = annals_schema_new();
  list.message = annals_schema_message(list.schema, "ExecutionListItem");
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&list, &status)) {
    status = run(&list);
  }
  annals_schema_free(list.schema);
  g_strfreev(list.arns);
  g_free(list.map_run);
  g_free(list.status);
  g_free(list.next_token);
  g_free(list.output);
  return status;
}
