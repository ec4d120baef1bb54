#include "client/import.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "client/aws_history.h"
#include "client/batch.h"
#include "client/execution_name.h"
#include "client/import_export.h"

enum {
  PROGRESS_US = 100000, /* between two updates */
};

static const char help[] =
    "Appends the histories of files to Annals.\n"
    "\n"
    "A FILE holds what 'aws stepfunctions get-execution-history' prints: an object with\n"
    "\"events\", or several pages of one history as an array or as JSON Lines, in any order,\n"
    "also newest first. Timestamps may be numbers or ISO 8601. Or it holds what 'annals export'\n"
    "wrote: any number of executions. '-' is standard input. Files may be compressed with gzip.\n"
    "\n"
    "AWS's output does not tell the execution's ARN: say it with --execution-arn, or let it\n"
    "follow from the file's name with --arn-prefix; exports tell it themselves. A name is the\n"
    "file's without folders and without .json, .jsonl, .ndjson or .gz; one longer than 80\n"
    "characters becomes its first 71, a hyphen and 8 digits of its SHA-256.\n"
    "\n"
    "A file with any fault is left out whole; of an export, each execution with one is, unless\n"
    "it is longer than a batch. Repeating an import is safe: events that are\n"
    "stored already are recognised. Events are sent in batches; when the server is busy, a\n"
    "batch is tried again for a while.\n"
    "\n"
    "Executions that are created are encrypted as the server is configured, or under the key\n"
    "that --kms-key-id names. One that is there already has to be encrypted like that.";

struct import {
  struct annals_cli *cli;
  struct annals_client *client;
  struct annals_schema *schema;
  char *execution_arn;
  char *arn_prefix;
  char *kms_key_id;
  int reuse_seconds;
  Annals__V1__EncryptionConfiguration encryption; /* if kms_key_id is given */
  char **files;
  size_t file_count;
  size_t file_index;
  bool shows_progress;
  int64_t progress_us; /* when it was last shown */
  struct annals_import_totals totals;
  GPtrArray *failures; /* char *, a line each */
};

/* Tells whether there is somebody to show progress to, and something new to show. */
static bool may_show_progress(struct import *import) {
  int64_t now = g_get_monotonic_time();
  if (!import->shows_progress || now - import->progress_us < PROGRESS_US) {
    return false;
  }
  import->progress_us = now;
  return true;
}

static void show_progress(struct import *import, size_t sent, size_t count) {
  if (may_show_progress(import)) {
    fprintf(import->cli->err, "\r\033[Kfile %zu of %zu, event %zu of %zu", import->file_index + 1,
            import->file_count, sent, count);
    fflush(import->cli->err);
  }
}

static void clear_progress(struct import *import) {
  if (import->shows_progress) {
    fputs("\r\033[K", import->cli->err);
    fflush(import->cli->err);
  }
}

/* NULL: as the server is configured. */
static const Annals__V1__EncryptionConfiguration *encryption_of(const struct import *import) {
  return import->kms_key_id != NULL ? &import->encryption : NULL;
}

/* *ret_sent tells how many events are stored, also on failure. */
static bool append_history(struct import *import, const char *arn,
                           const struct annals_aws_history *history, size_t *ret_sent,
                           GError **error) {
  size_t count;
  const struct annals_client_event *events = annals_aws_history_events(history, &count);
  int64_t appended = 0;
  for (*ret_sent = 0; *ret_sent < count;) {
    show_progress(import, *ret_sent, count);
    struct annals_client_append_request request = {
        .execution_arn = arn,
        .event_bytes = events + *ret_sent,
        .event_count = annals_batch_length(events + *ret_sent, count - *ret_sent),
        .encryption = *ret_sent == 0 ? encryption_of(import) : NULL,
    };
    struct annals_client_append_result result;
    if (!annals_client_append(import->client, &request, &result, error)) {
      return false;
    }
    *ret_sent += request.event_count;
    appended += result.appended_count;
    import->totals.appended += result.appended_count;
    import->totals.already_stored += result.already_stored_count;
    import->totals.adjusted += result.adjusted_timestamp_count;
  }
  import->totals.imported += appended > 0;
  import->totals.there += appended == 0;
  return true;
}

static void note_failure(struct import *import, const char *file, size_t sent,
                         const GError *error) {
  g_autofree char *name = g_filename_display_name(file);
  g_autofree char *text = annals_cli_describe(error);
  g_autofree char *rest =
      sent > 0 ? g_strdup_printf(" (its first %zu events are stored)", sent) : g_strdup("");
  g_ptr_array_add(import->failures, g_strdup_printf("%s: %s%s", name, text, rest));
}

/* Gives the ARN of a file that does not tell it, or NULL. The caller frees it. */
static char *arn_for_file(const struct import *import, const char *file, GError **error) {
  if (import->execution_arn != NULL) {
    return g_strdup(import->execution_arn);
  }
  if (import->arn_prefix != NULL) {
    return annals_execution_arn_for_file(import->arn_prefix, file, error);
  }
  g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_FILE,
              "it does not tell the execution's ARN: use --execution-arn or --arn-prefix");
  return NULL;
}

static bool import_history(struct import *import, const char *file, struct annals_source *source,
                           size_t *ret_sent, GError **error) {
  g_autofree char *arn = arn_for_file(import, file, error);
  struct annals_aws_history *history =
      arn != NULL ? annals_aws_history_read(import->schema, source, error) : NULL;
  bool ok = history != NULL && append_history(import, arn, history, ret_sent, error);
  annals_aws_history_free(history);
  return ok;
}

static void note_export_failure(struct annals_import_export *from, const char *arn, int64_t stored,
                                const GError *error) {
  struct import *import = from->owner;
  const char *file = import->files[import->file_index];
  g_autofree char *place = arn != NULL ? g_strdup_printf("%s: %s", file, arn) : g_strdup(file);
  note_failure(import, place, (size_t)stored, error);
}

static void show_export_progress(struct annals_import_export *from) {
  struct import *import = from->owner;
  if (may_show_progress(import)) {
    fprintf(import->cli->err, "\r\033[Kfile %zu of %zu, %zu executions, %" PRId64 " events",
            import->file_index + 1, import->file_count,
            import->totals.imported + import->totals.there,
            import->totals.appended + import->totals.already_stored);
    fflush(import->cli->err);
  }
}

static void import_executions(struct import *import, struct annals_source *source) {
  struct annals_import_export from = {
      .client = import->client,
      .schema = import->schema,
      .totals = &import->totals,
      .encryption = encryption_of(import),
      .on_failure = note_export_failure,
      .on_progress = show_export_progress,
      .owner = import,
  };
  annals_import_export_run(&from, source);
}

static void import_file(struct import *import, const char *file) {
  GError *error = NULL;
  size_t sent = 0;
  bool is_export;
  struct annals_source *source = annals_source_open(file, &error);
  if (source != NULL && annals_import_export_is_one(source, &is_export, &error)) {
    if (is_export) {
      import_executions(import, source);
    } else {
      (void)import_history(import, file, source, &sent, &error);
    }
  }
  if (error != NULL) {
    note_failure(import, file, sent, error);
    g_error_free(error);
  }
  annals_source_close(source);
}

static const char *plural(int64_t n, const char *one, const char *many) {
  return n == 1 ? one : many;
}

static void print_summary(struct import *import) {
  clear_progress(import);
  for (guint i = 0; i < import->failures->len; i++) {
    annals_cli_error(import->cli, "%s", (const char *)import->failures->pdata[i]);
  }
  fprintf(import->cli->out,
          "%zu %s imported, %zu already there, %u failed: ", import->totals.imported,
          plural((int64_t)import->totals.imported, "history", "histories"), import->totals.there,
          import->failures->len);
  fprintf(import->cli->out, "%" PRId64 " %s appended, %" PRId64 " already there",
          import->totals.appended, plural(import->totals.appended, "event", "events"),
          import->totals.already_stored);
  if (import->totals.adjusted > 0) {
    fprintf(import->cli->out, ", %" PRId64 " %s raised to the previous event's",
            import->totals.adjusted, plural(import->totals.adjusted, "timestamp", "timestamps"));
  }
  fputc('\n', import->cli->out);
}

static bool names_key(const struct import *import) {
  return import->kms_key_id != NULL && strcmp(import->kms_key_id, "none") != 0;
}

/* Takes how executions are to be encrypted from the options. */
static void set_encryption(struct import *import) {
  Annals__V1__EncryptionConfiguration *encryption = &import->encryption;
  annals__v1__encryption_configuration__init(encryption);
  encryption->type = ANNALS__V1__ENCRYPTION_TYPE__ENCRYPTION_TYPE_AWS_OWNED_KEY;
  if (names_key(import)) {
    encryption->type = ANNALS__V1__ENCRYPTION_TYPE__ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY;
    encryption->kms_key_id = import->kms_key_id;
    encryption->kms_data_key_reuse_period_seconds = import->reuse_seconds;
  }
}

/* What the options cannot say of each other. */
static bool check_arguments(struct import *import, int *ret_exit) {
  struct annals_cli *cli = import->cli;
  import->file_count = import->files != NULL ? g_strv_length(import->files) : 0;
  bool reads_stdin =
      import->files != NULL && g_strv_contains((const char *const *)import->files, "-");
  if (import->file_count == 0) {
    *ret_exit = annals_cli_usage_error(cli, "a FILE is missing");
  } else if (import->execution_arn != NULL && import->arn_prefix != NULL) {
    *ret_exit = annals_cli_usage_error(cli, "--execution-arn and --arn-prefix exclude each other");
  } else if (import->execution_arn != NULL && import->file_count > 1) {
    *ret_exit = annals_cli_usage_error(cli, "--execution-arn goes with one FILE, not %zu",
                                       import->file_count);
  } else if (reads_stdin && import->arn_prefix != NULL) {
    *ret_exit = annals_cli_usage_error(cli, "standard input has no name: use --execution-arn");
  } else if (import->reuse_seconds != 0 && !names_key(import)) {
    *ret_exit = annals_cli_usage_error(cli, "--kms-data-key-reuse-period goes with a key");
  } else {
    return true;
  }
  return false;
}

static int import_files(struct import *import) {
  import->client = annals_cli_connect(import->cli);
  if (import->client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  import->schema = annals_schema_new();
  import->failures = g_ptr_array_new_with_free_func(g_free);
  import->shows_progress = isatty(fileno(import->cli->err)) == 1;
  for (; import->file_index < import->file_count; import->file_index++) {
    import_file(import, import->files[import->file_index]);
  }
  print_summary(import);
  bool ok = annals_cli_flush(import->cli) && import->failures->len == 0;
  g_ptr_array_unref(import->failures);
  annals_schema_free(import->schema);
  annals_client_close(import->client);
  return ok ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

int annals_import_run(struct annals_cli *cli, char *const *argv) {
  struct import import = {.cli = cli};
  const GOptionEntry entries[] = {
      {"execution-arn", 0, 0, G_OPTION_ARG_FILENAME, &import.execution_arn,
       "The execution's ARN, with a single FILE", "ARN"},
      {"arn-prefix", 0, 0, G_OPTION_ARG_FILENAME, &import.arn_prefix,
       "What comes before the name in ARNs, such as "
       "arn:aws:states:us-east-1:123456789012:execution:imported:",
       "PREFIX"},
      {"kms-key-id", 0, 0, G_OPTION_ARG_FILENAME, &import.kms_key_id,
       "Encrypt under this key of the server's: as AWS KMS names it, or local:NAME; none: not at "
       "all",
       "KEY"},
      {"kms-data-key-reuse-period", 0, 0, G_OPTION_ARG_INT, &import.reuse_seconds,
       "How long a data key of it is used, 60 to 900; 300 if left out", "SECONDS"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &import.files, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"FILE…", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&import, &status)) {
    set_encryption(&import);
    status = import_files(&import);
  }
  g_free(import.execution_arn);
  g_free(import.arn_prefix);
  g_free(import.kms_key_id);
  g_strfreev(import.files);
  return status;
}
