#include "client/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "client/aws_time.h"
#include "client/sink.h"
#include "client/spool.h"
#include "proto/aws_json.h"

enum {
  PAGE_SIZE = 1000, /* the server's maximum: the fewest calls */
  /* Escapes take up to six times an event's bytes. */
  LINE_BYTES_MAX = 8 * ANNALS_CLIENT_EVENT_BYTES_MAX,
  ATTEMPTS_MAX = 10, /* at an execution that is deleted and begun anew all the time */
};

static const char help[] =
    "Writes histories as JSON Lines, for 'annals import': of the executions that are named, or of\n"
    "all of a state machine (or of one of its versions or aliases) or map run, those that started\n"
    "last first.\n"
    "\n"
    "Each execution is a line that tells what its first append told, a line of AWS JSON for each\n"
    "event, and a line that says that it is whole. None is written in part, also when it is "
    "deleted\n"
    "meanwhile. Running ones are written as far as they are. An import of the export, into "
    "another\n"
    "server too, gives the same executions.\n"
    "\n"
    "With --output, FILE is there when all is in it. Long histories are gathered in a file below\n"
    "$TMPDIR first.";

/* How the export of an execution ended. */
enum result {
  EXPORTED,
  GONE,    /* there is no such execution, or it was deleted meanwhile */
  SKIPPED, /* it cannot be exported; the others may */
  STOPPED, /* nothing can */
};

struct export {
  struct annals_cli *cli;
  struct annals_client *client;
  struct annals_schema *schema;
  char **arns;
  char *state_machine;
  char *map_run;
  char *since_text;
  struct annals_time since;
  char *output;
  gboolean gzip;

  struct annals_sink *sink;
  struct annals_spool spool;  /* of the execution at hand */
  struct annals_buffer line;  /* of it, too */
  struct annals_time started; /* its first event */
  int64_t last_id;
  int64_t execution_count;
  int64_t event_count;
  bool failed; /* something that was asked for is not there */
};

static enum result stop(struct export *export, const char *what) {
  int why = errno;
  if (why != EPIPE) {
    annals_cli_error(export->cli, "%s: %s", what, g_strerror(why));
  }
  return STOPPED;
}

static const char *output_name(const struct export *export) {
  return export->output != NULL ? export->output : "standard output";
}

/* ---- lines --------------------------------------------------------------------------------- */

static void add_text(struct annals_buffer *line, const char *name, const char *text) {
  if (text != NULL && *text != '\0') {
    annals_buffer_append_text(line, line->len == 0 ? "{" : ",");
    annals_aws_json_append_string(line, name, strlen(name));
    annals_buffer_append_byte(line, ':');
    annals_aws_json_append_string(line, text, strlen(text));
  }
}

static void add_number(struct annals_buffer *line, const char *name, int64_t number) {
  if (number != 0) {
    g_autofree char *text = g_strdup_printf(",\"%s\":%" PRId64, name, number);
    annals_buffer_append_text(line, text);
  }
}

static bool write_line(struct export *export) {
  annals_buffer_append_text(&export->line, "\n");
  return annals_spool_write(&export->spool, export->line.data, export->line.len);
}

static bool begin_execution(struct export *export,
                            const Annals__V1__DescribeExecutionResponse *execution) {
  annals_buffer_reset(&export->line);
  add_text(&export->line, "executionArn", execution->execution_arn);
  add_text(&export->line, "stateMachineArn", execution->state_machine_arn);
  add_text(&export->line, "mapRunArn", execution->map_run_arn);
  add_number(&export->line, "itemCount", execution->item_count);
  add_text(&export->line, "traceHeader", execution->trace_header);
  annals_buffer_append_text(&export->line, "}");
  return write_line(export);
}

static bool end_execution(struct export *export, const char *arn) {
  annals_buffer_reset(&export->line);
  add_text(&export->line, "executionArn", arn);
  add_number(&export->line, "lastEventId", export->last_id);
  annals_buffer_append_text(&export->line, "}");
  return write_line(export);
}

/* ---- one execution ------------------------------------------------------------------------- */

/* What an error says of an execution, and of the others. */
static enum result classify(const GError *error) {
  static const char *const of_one[] = {"INVALID_ARN", "PERMISSION_DENIED", "DATA_CORRUPTED", NULL};
  const char *reason = annals_client_error_reason(error);
  if (strcmp(reason, "EXECUTION_DOES_NOT_EXIST") == 0 || strcmp(reason, "INVALID_TOKEN") == 0) {
    return GONE;
  }
  return g_strv_contains(of_one, reason) ? SKIPPED : STOPPED;
}

static enum result refuse(struct export *export, const char *arn, GError *error) {
  enum result result = classify(error);
  if (result != GONE) {
    g_autofree char *text = annals_cli_describe(error);
    annals_cli_error(export->cli, "%s: %s", arn, text);
  }
  g_error_free(error);
  return result;
}

static enum result unknown_event(struct export *export, const char *arn) {
  annals_cli_error(export->cli, "%s: the server sent an event that this program does not know",
                   arn);
  return SKIPPED;
}

static enum result write_page(struct export *export, const char *arn,
                              struct annals_client_page *page) {
  for (size_t i = 0; i < annals_client_page_event_count(page); i++) {
    struct annals_client_event event = annals_client_page_event_bytes(page, i);
    annals_buffer_reset(&export->line);
    if (!annals_aws_json_append_exact_event(export->schema, event.data, event.size,
                                            &export->line)) {
      return unknown_event(export, arn);
    }
    if (!write_line(export)) {
      return stop(export, g_get_tmp_dir());
    }
    if (export->last_id++ == 0) {
      const Annals__V1__HistoryEvent *first = annals_client_page_event(page, i, NULL);
      if (first == NULL || first->timestamp == NULL) {
        return unknown_event(export, arn);
      }
      export->started = (struct annals_time){first->timestamp->seconds, first->timestamp->nanos};
    }
  }
  return EXPORTED;
}

static enum result write_events(struct export *export, const char *arn) {
  const struct annals_client_page_request request = {
      .execution_arn = arn,
      .max_results = PAGE_SIZE,
  };
  struct annals_client_pager *pager = annals_client_pager_new(export->client, &request);
  struct annals_client_page *page;
  GError *error = NULL;
  enum result result = EXPORTED;
  do {
    if (!annals_client_pager_next(pager, &page, &error)) {
      result = refuse(export, arn, error);
    } else if (page != NULL) {
      result = write_page(export, arn, page);
    }
  } while (result == EXPORTED && page != NULL);
  annals_client_pager_free(pager);
  return result;
}

/* What was begun at another time than the events say is another execution of that name. */
static bool is_same(const struct export *export,
                    const Annals__V1__DescribeExecutionResponse *execution) {
  return execution->start_date != NULL &&
         export->started.seconds == execution->start_date->seconds &&
         export->started.nanos == execution->start_date->nanos;
}

static enum result gather(struct export *export, const char *arn) {
  const struct annals_client_describe_request request = {
      .execution_arn = arn,
      .metadata_only = true,
  };
  struct annals_client_description *description;
  GError *error = NULL;
  export->last_id = 0;
  if (!annals_client_describe(export->client, &request, &description, &error)) {
    return refuse(export, arn, error);
  }
  const Annals__V1__DescribeExecutionResponse *execution =
      annals_client_description_message(description);
  enum result result;
  if (!annals_spool_reset(&export->spool) || !begin_execution(export, execution)) {
    result = stop(export, g_get_tmp_dir());
  } else {
    result = write_events(export, arn);
  }
  if (result == EXPORTED && !is_same(export, execution)) {
    result = GONE;
  }
  annals_client_description_free(description);
  return result == EXPORTED && !end_execution(export, arn) ? stop(export, g_get_tmp_dir()) : result;
}

/* One that is gone may have been begun anew: then it is there at once. */
static enum result export_execution(struct export *export, const char *arn) {
  enum result result = GONE;
  int64_t had_events = 1;
  for (int attempt = 0; attempt < ATTEMPTS_MAX && result == GONE && had_events > 0; attempt++) {
    result = gather(export, arn);
    had_events = export->last_id;
  }
  if (result != EXPORTED) {
    return result;
  }
  if (!annals_spool_copy(&export->spool, export->sink)) {
    return stop(export, output_name(export));
  }
  export->execution_count++;
  export->event_count += export->last_id;
  return EXPORTED;
}

/* ---- all of them --------------------------------------------------------------------------- */

static bool export_named(struct export *export) {
  for (char **arn = export->arns; *arn != NULL; arn++) {
    enum result result = export_execution(export, *arn);
    if (result == STOPPED) {
      return false;
    }
    if (result == GONE) {
      annals_cli_error(export->cli,
                       "%s: EXECUTION_DOES_NOT_EXIST: it is not there, or was deleted "
                       "meanwhile",
                       *arn);
    }
    export->failed = export->failed || result != EXPORTED;
  }
  return true;
}

static bool is_older(const struct export *export, const Annals__V1__ExecutionListItem *execution) {
  const Google__Protobuf__Timestamp *start = execution->start_date;
  const struct annals_time *since = &export->since;
  return start == NULL || start->seconds < since->seconds ||
         (start->seconds == since->seconds && start->nanos < since->nanos);
}

/* Executions that are deleted while their listing is read are none of it any more. */
static bool export_listed(struct export *export, struct annals_client_lister *lister) {
  for (;;) {
    const Annals__V1__ExecutionListItem *execution;
    GError *error = NULL;
    if (!annals_client_lister_next_execution(lister, &execution, &error)) {
      g_autofree char *text = annals_cli_describe(error);
      annals_cli_error(export->cli, "%s", text);
      g_error_free(error);
      return false;
    }
    if (execution == NULL || is_older(export, execution)) {
      return true;
    }
    enum result result = export_execution(export, execution->execution_arn);
    if (result == STOPPED) {
      return false;
    }
    if (result == GONE) {
      annals_cli_error(export->cli, "%s: left out: it was deleted meanwhile",
                       execution->execution_arn);
    }
    export->failed = export->failed || result == SKIPPED;
  }
}

static bool export_all(struct export *export) {
  if (export->arns != NULL) {
    return export_named(export);
  }
  const struct annals_client_list_request request = {
      .state_machine_arn = export->state_machine,
      .map_run_arn = export->map_run,
      .max_results = PAGE_SIZE,
  };
  struct annals_client_lister *lister = annals_client_lister_new(export->client, &request);
  bool ok = export_listed(export, lister);
  annals_client_lister_free(lister);
  return ok;
}

/* ---- the command --------------------------------------------------------------------------- */

static bool finish(struct export *export) {
  if (!annals_sink_finish(export->sink)) {
    (void)stop(export, output_name(export));
    return false;
  }
  if (export->output != NULL) {
    fprintf(export->cli->out, "%" PRId64 " %s, %" PRId64 " %s exported\n", export->execution_count,
            export->execution_count == 1 ? "execution" : "executions", export->event_count,
            export->event_count == 1 ? "event" : "events");
  }
  return annals_cli_flush(export->cli);
}

static bool write_export(struct export *export) {
  GError *error = NULL;
  bool gzip = export->gzip || (export->output != NULL && g_str_has_suffix(export->output, ".gz"));
  export->sink = annals_sink_open(export->cli->out, export->output, gzip, &error);
  if (export->sink == NULL) {
    annals_cli_error(export->cli, "%s", error->message);
    g_error_free(error);
    return false;
  }
  export->schema = annals_schema_new();
  annals_spool_init(&export->spool);
  annals_buffer_init(&export->line, LINE_BYTES_MAX);
  bool ok = export_all(export) && finish(export);
  annals_buffer_clear(&export->line);
  annals_spool_clear(&export->spool);
  annals_schema_free(export->schema);
  annals_sink_free(export->sink);
  return ok && !export->failed;
}

static int run(struct export *export) {
  export->client = annals_cli_connect(export->cli);
  if (export->client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  bool ok = write_export(export);
  annals_client_close(export->client);
  return ok ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

/* A day is its beginning. */
static bool parse_since(struct export *export) {
  if (export->since_text == NULL) {
    return true;
  }
  g_autofree char *midnight = g_strconcat(export->since_text, "T00:00:00Z", NULL);
  return annals_time_from_text(export->since_text, &export->since) ||
         annals_time_from_text(midnight, &export->since);
}

static bool check_arguments(struct export *export, int *ret_exit) {
  struct annals_cli *cli = export->cli;
  int kinds = (export->arns != NULL) + (export->state_machine != NULL) + (export->map_run != NULL);
  if (kinds != 1) {
    *ret_exit = annals_cli_usage_error(cli, "one of ARN…, --state-machine and --map-run is wanted");
  } else if (export->since_text != NULL && export->arns != NULL) {
    *ret_exit = annals_cli_usage_error(cli, "--since goes with --state-machine and --map-run");
  } else if (!parse_since(export)) {
    *ret_exit = annals_cli_usage_error(
        cli, "--since is a time such as 2027-01-31T09:00:00Z or a day such as 2027-01-31");
  } else {
    return true;
  }
  return false;
}

int annals_export_run(struct annals_cli *cli, char *const *argv) {
  struct export export = {.cli = cli};
  const GOptionEntry entries[] = {
      {"state-machine", 0, 0, G_OPTION_ARG_FILENAME, &export.state_machine,
       "All executions of a state machine, version or alias", "ARN"},
      {"map-run", 0, 0, G_OPTION_ARG_FILENAME, &export.map_run, "All executions of a map run",
       "ARN"},
      {"since", 0, 0, G_OPTION_ARG_FILENAME, &export.since_text,
       "Of these, the ones that started then or later", "TIME"},
      {"output", 0, 0, G_OPTION_ARG_FILENAME, &export.output,
       "Write there; compressed if its name ends with .gz", "FILE"},
      {"gzip", 0, 0, G_OPTION_ARG_NONE, &export.gzip, "Compress with gzip", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &export.arns, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"[ARN…]", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&export, &status)) {
    status = run(&export);
  }
  g_strfreev(export.arns);
  g_free(export.state_machine);
  g_free(export.map_run);
  g_free(export.since_text);
  g_free(export.output);
  return status;
}
