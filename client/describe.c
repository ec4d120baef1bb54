#include "client/describe.h"

#include <string.h>

#include "client/aws_time.h"
#include "client/table.h"
#include "proto/aws_json.h"

enum {
  /* Escapes take up to six times a description's bytes. */
  JSON_BYTES_MAX = 8 << 20,
};

static const char help[] =
    "Prints what is known of an execution: its state machine, status and times, input and output\n"
    "or error, and whether it can be redriven.\n"
    "\n"
    "json is AWS's form, with times as on the wire. table is a line for each part, for people;\n"
    "times are UTC, and lines are cut to the width of a terminal.";

struct describe {
  struct annals_cli *cli;
  char **arns;
  gboolean metadata_only;
  char *output;
  bool json;
};

/* Writes `label  text`, unless there is no text. */
static void write_part(const struct describe *describe, const char *label, const char *text) {
  if (text != NULL && text[0] != '\0') {
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *line = g_strdup_printf("%-16s%s", label, valid);
    annals_table_write_line(line, annals_table_width(describe->cli->out), describe->cli->out);
  }
}

static void write_time(const struct describe *describe, const char *label,
                       const Google__Protobuf__Timestamp *time) {
  if (time != NULL) {
    char text[ANNALS_TIME_TEXT_SIZE];
    annals_time_to_text((struct annals_time){time->seconds, time->nanos}, text);
    write_part(describe, label, text);
  }
}

/* The name of an enum's value, as AWS has it. */
static const char *name_of(const struct annals_message *message, const char *json_name,
                           int number) {
  const struct annals_name *name =
      annals_names_get(annals_message_field_named(message, json_name)->names, number);
  return name != NULL ? name->text : "?";
}

static void write_table(const struct describe *describe, const struct annals_message *message,
                        const Annals__V1__DescribeExecutionResponse *execution) {
  g_autofree char *redrives = g_strdup_printf("%d", execution->redrive_count);
  write_part(describe, "execution", execution->execution_arn);
  write_part(describe, "state machine", execution->state_machine_arn);
  write_part(describe, "version", execution->state_machine_version_arn);
  write_part(describe, "alias", execution->state_machine_alias_arn);
  write_part(describe, "map run", execution->map_run_arn);
  write_part(describe, "status", name_of(message, "status", (int)execution->status));
  write_time(describe, "started", execution->start_date);
  write_time(describe, "stopped", execution->stop_date);
  write_part(describe, "redrives", redrives);
  write_time(describe, "last redrive", execution->redrive_date);
  write_part(describe, "redrive",
             name_of(message, "redriveStatus", (int)execution->redrive_status));
  write_part(describe, "because", execution->redrive_status_reason);
  write_part(describe, "trace header", execution->trace_header);
  if (execution->encryption_configuration != NULL) {
    write_part(describe, "encrypted under", execution->encryption_configuration->kms_key_id);
  }
  write_part(describe, "error", execution->error);
  write_part(describe, "cause", execution->cause);
  write_part(describe, "input", execution->input);
  write_part(describe, "output", execution->output);
}

static bool write_json(const struct describe *describe, const struct annals_message *message,
                       struct annals_client_bytes bytes) {
  struct annals_buffer text;
  annals_buffer_init(&text, JSON_BYTES_MAX);
  bool ok = annals_aws_json_append_message(message, bytes.data, bytes.size, &text);
  if (ok) {
    annals_buffer_append_byte(&text, '\n');
    fwrite(text.data, 1, text.len, describe->cli->out);
  } else {
    annals_cli_error(describe->cli, "the server sent something that this program does not know");
  }
  annals_buffer_clear(&text);
  return ok;
}

static bool print(const struct describe *describe,
                  const struct annals_client_description *description) {
  struct annals_schema *schema = annals_schema_new();
  const struct annals_message *message = annals_schema_message(schema, "DescribeExecutionResponse");
  bool ok = true;
  if (describe->json) {
    ok = write_json(describe, message, annals_client_description_bytes(description));
  } else {
    write_table(describe, message, annals_client_description_message(description));
  }
  annals_schema_free(schema);
  return annals_cli_flush(describe->cli) && ok;
}

static bool check_arguments(struct describe *describe, int *ret_exit) {
  struct annals_cli *cli = describe->cli;
  guint arn_count = describe->arns != NULL ? g_strv_length(describe->arns) : 0;
  const char *output = describe->output != NULL ? describe->output : "json";
  describe->json = strcmp(output, "json") == 0;
  if (arn_count == 0) {
    *ret_exit = annals_cli_usage_error(cli, "an ARN is missing");
  } else if (arn_count > 1) {
    *ret_exit = annals_cli_usage_error(cli, "one ARN is wanted, not %u", arn_count);
  } else if (!describe->json && strcmp(output, "table") != 0) {
    *ret_exit = annals_cli_usage_error(cli, "--output is json or table, not '%s'", output);
  } else {
    return true;
  }
  return false;
}

static int run(const struct describe *describe) {
  struct annals_client *client = annals_cli_connect(describe->cli);
  if (client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  const struct annals_client_describe_request request = {
      .execution_arn = describe->arns[0],
      .metadata_only = describe->metadata_only,
  };
  struct annals_client_description *description;
  GError *error = NULL;
  bool ok = annals_client_describe(client, &request, &description, &error);
  if (ok) {
    ok = print(describe, description);
    annals_client_description_free(description);
  } else {
    g_autofree char *text = annals_cli_describe(error);
    annals_cli_error(describe->cli, "%s", text);
    g_error_free(error);
  }
  annals_client_close(client);
  return ok ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

int annals_describe_command_run(struct annals_cli *cli, char *const *argv) {
  struct describe describe = {.cli = cli};
  const GOptionEntry entries[] = {
      {"metadata-only", 0, 0, G_OPTION_ARG_NONE, &describe.metadata_only,
       "Without input, output, error and cause", NULL},
      {"output", 0, 0, G_OPTION_ARG_FILENAME, &describe.output, "json (the default) or table",
       "FORMAT"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &describe.arns, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"ARN", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&describe, &status)) {
    status = run(&describe);
  }
  g_strfreev(describe.arns);
  g_free(describe.output);
  return status;
}
