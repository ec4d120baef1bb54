#include "client/history.h"

#include <string.h>

#include "client/follow.h"
#include "client/json_page.h"
#include "client/table.h"

enum {
  PAGE_EVENTS = 1000, /* the server's maximum: the fewest calls */
  MAX_RESULTS_ABSENT = G_MININT,
};

static const char help[] =
    "Prints the history of an execution.\n"
    "\n"
    "Without --max-results and --next-token it is the whole history, of any length. With one of\n"
    "them it is one page, as from AWS: at most N events (100 if N is 0 or not given; fewer where\n"
    "events are big) and, if there are more, \"nextToken\" for the next page's --next-token. The\n"
    "other options must be the same for all pages.\n"
    "\n"
    "With --follow it goes on with what is appended, until the execution has ended; if the server\n"
    "is away for a while, it goes on where it was. json is an event per line then, and nothing\n"
    "else.\n"
    "\n"
    "json is AWS's form, one event per line: {\"events\":[…]}. table has columns for people; "
    "times\n"
    "are UTC, and lines are cut to the width of a terminal.";

struct history {
  struct annals_cli *cli;
  struct annals_client *client;
  struct annals_schema *schema;
  char **arns;
  int max_results;
  char *next_token;
  gboolean reverse;
  gboolean no_execution_data;
  gboolean follow;
  gint64 from_event_id;
  char *output;
  bool json;
  size_t table_width;
  struct annals_json_page page;
};

static bool is_single_page(const struct history *history) {
  return history->max_results != MAX_RESULTS_ABSENT || history->next_token != NULL;
}

static void begin(struct history *history) {
  if (history->json) {
    annals_json_page_begin(&history->page, "events");
  } else {
    annals_table_write_header(history->table_width, history->cli->out);
  }
}

/* The server has left execution data out where it was asked to. */
static bool print_event(struct history *history, struct annals_client_event event) {
  return history->json
             ? annals_json_page_write(&history->page, annals_schema_event(history->schema),
                                      event.data, event.size)
             : annals_table_write_event(history->schema, event, history->table_width,
                                        history->cli->out);
}

static void end(struct history *history, const char *next_token) {
  if (history->json) {
    annals_json_page_end(&history->page, next_token);
  } else if (next_token[0] != '\0') {
    fprintf(history->cli->out, "next token: %s\n", next_token);
  }
}

/* Prints one page; gives up where nobody reads any more. */
static bool print_page(struct history *history, const struct annals_client_page *page) {
  for (size_t i = 0; i < annals_client_page_event_count(page); i++) {
    if (!print_event(history, annals_client_page_event_bytes(page, i))) {
      annals_cli_error(history->cli, "the server sent an event that this program does not know");
      return false;
    }
    if (annals_cli_is_lost(history->cli)) {
      return false;
    }
  }
  return true;
}

/* Page by page: memory stays that of one page. Nothing is printed before the first is there. */
static bool print_history(struct history *history, struct annals_client_pager *pager,
                          GError **error) {
  struct annals_client_page *page;
  if (!annals_client_pager_next(pager, &page, error)) {
    return false;
  }
  begin(history);
  g_autofree char *next_token = g_strdup("");
  while (page != NULL) {
    if (!print_page(history, page)) {
      return false;
    }
    if (is_single_page(history)) {
      g_free(next_token);
      next_token = g_strdup(annals_client_page_next_token(page));
      break;
    }
    if (!annals_client_pager_next(pager, &page, error)) {
      return false;
    }
  }
  end(history, next_token);
  return true;
}

static bool read_and_print(struct history *history) {
  struct annals_client_page_request request = {
      .execution_arn = history->arns[0],
      .max_results = is_single_page(history) ? MAX(history->max_results, 0) : PAGE_EVENTS,
      .next_token = history->next_token,
      .reverse_order = history->reverse,
      .without_execution_data = history->no_execution_data,
  };
  struct annals_client_pager *pager = annals_client_pager_new(history->client, &request);
  GError *error = NULL;
  bool ok = print_history(history, pager, &error);
  annals_client_pager_free(pager);
  ok = annals_cli_flush(history->cli) && ok;
  if (error != NULL) {
    g_autofree char *text = annals_cli_describe(error);
    annals_cli_error(history->cli, "%s", text);
    g_error_free(error);
  }
  return ok;
}

static bool follow(struct history *history) {
  const struct annals_client_watch_request request = {
      .execution_arn = history->arns[0],
      .from_event_id = history->from_event_id,
      .without_execution_data = history->no_execution_data,
  };
  return annals_follow(history->cli, history->client, history->schema, &request, history->json);
}

/* Options that do not go together. */
static const char *conflict(const struct history *history) {
  if (!history->follow) {
    return history->from_event_id != 0 ? "--from-event-id goes with --follow" : NULL;
  }
  if (history->reverse || is_single_page(history)) {
    return "--follow does not go with --reverse, --max-results and --next-token";
  }
  return NULL;
}

static bool check_arguments(struct history *history, int *ret_exit) {
  struct annals_cli *cli = history->cli;
  guint arn_count = history->arns != NULL ? g_strv_length(history->arns) : 0;
  const char *output = history->output != NULL ? history->output : "json";
  history->json = strcmp(output, "json") == 0;
  if (arn_count == 0) {
    *ret_exit = annals_cli_usage_error(cli, "an ARN is missing");
  } else if (arn_count > 1) {
    *ret_exit = annals_cli_usage_error(cli, "one ARN is wanted, not %u", arn_count);
  } else if (history->max_results != MAX_RESULTS_ABSENT &&
             (history->max_results < 0 || history->max_results > PAGE_EVENTS)) {
    *ret_exit = annals_cli_usage_error(cli, "--max-results is 0 to %d", (int)PAGE_EVENTS);
  } else if (!history->json && strcmp(output, "table") != 0) {
    *ret_exit = annals_cli_usage_error(cli, "--output is json or table, not '%s'", output);
  } else if (conflict(history) != NULL) {
    *ret_exit = annals_cli_usage_error(cli, "%s", conflict(history));
  } else {
    return true;
  }
  return false;
}

static int run(struct history *history) {
  history->client = annals_cli_connect(history->cli);
  if (history->client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  history->schema = annals_schema_new();
  annals_json_page_init(&history->page, history->cli->out);
  history->table_width = annals_table_width(history->cli->out);
  bool ok = history->follow ? follow(history) : read_and_print(history);
  annals_json_page_clear(&history->page);
  annals_schema_free(history->schema);
  annals_client_close(history->client);
  return ok ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

int annals_history_run(struct annals_cli *cli, char *const *argv) {
  struct history history = {.cli = cli, .max_results = MAX_RESULTS_ABSENT};
  const GOptionEntry entries[] = {
      {"reverse", 0, 0, G_OPTION_ARG_NONE, &history.reverse, "Newest event first", NULL},
      {"max-results", 0, 0, G_OPTION_ARG_INT, &history.max_results,
       "One page of at most N events, 0 to 1000", "N"},
      {"next-token", 0, 0, G_OPTION_ARG_FILENAME, &history.next_token,
       "The page that a nextToken was for", "TOKEN"},
      {"no-execution-data", 0, 0, G_OPTION_ARG_NONE, &history.no_execution_data,
       "Without inputs, outputs, parameters and variables", NULL},
      {"follow", 'f', 0, G_OPTION_ARG_NONE, &history.follow,
       "Go on with what is appended, until the execution ends", NULL},
      {"from-event-id", 0, 0, G_OPTION_ARG_INT64, &history.from_event_id,
       "With --follow: begin there, not at 1", "ID"},
      {"output", 0, 0, G_OPTION_ARG_FILENAME, &history.output, "json (the default) or table",
       "FORMAT"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &history.arns, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"ARN", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&history, &status)) {
    status = run(&history);
  }
  g_strfreev(history.arns);
  g_free(history.next_token);
  g_free(history.output);
  return status;
}
