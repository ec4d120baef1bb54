#include "client/offline/verify.h"

#include "client/fault_report.h"
#include "server/history/audit.h"
#include "storage/rocksdb/data_dir.h"
#include "storage/rocksdb/rocksdb_verify.h"

static const char help[] =
    "Checks the data directory DIR of a server that is not running: that every file is whole, and\n"
    "that histories, records and listings are whole and agree. Each fault is a line.\n"
    "\n"
    "With --repair, records and listings are made what the histories say; histories are not\n"
    "changed. It may be cut short and run again. With --dry-run besides, it says what it would "
    "do.\n"
    "\n"
    "Exit status: 0 nothing is wrong, or nothing is left; 1 faults; 2 it could not be found out.";

struct verify {
  struct annals_store_verify store; /* first */
  struct annals_cli *cli;
  char **paths;
  gboolean repair;
  gboolean dry_run;
  gboolean json;
  struct annals_fault_report report;
};

static struct annals_fault_counts counts_of(const struct annals_store_verify_summary *summary) {
  return (struct annals_fault_counts){
      .executions = summary->executions,
      .events = summary->events,
      .bytes = summary->bytes,
      .faults = summary->faults,
      .repaired = summary->repaired,
      .unchecked_files = summary->unchecked_files,
  };
}

static void on_fault(struct annals_store_verify *store, const struct annals_store_fault *fault) {
  struct verify *verify = (struct verify *)store;
  annals_fault_report_add(&verify->report, &(struct annals_fault_line){
                                               .file = fault->file,
                                               .part = fault->part,
                                               .execution_arn = fault->arn,
                                               .event_id = fault->event_id,
                                               .text = fault->text,
                                               .repaired = fault->repaired,
                                           });
}

static bool on_progress(struct annals_store_verify *store) {
  struct verify *verify = (struct verify *)store;
  const struct annals_fault_counts so_far = counts_of(&store->summary);
  annals_fault_report_progress(&verify->report, &so_far);
  return !annals_cli_is_lost(verify->cli);
}

/* The store's own directory, in a data directory. */
static char *store_of(const char *dir) {
  g_autofree char *current = g_build_filename(dir, "CURRENT", NULL);
  return g_file_test(current, G_FILE_TEST_EXISTS)
             ? g_strdup(dir)
             : g_build_filename(dir, ANNALS_DATA_DIR_STORE, NULL);
}

static enum annals_rocksdb_repair repair_of(const struct verify *verify) {
  if (verify->dry_run) {
    return ANNALS_ROCKSDB_REPAIR_DRY;
  }
  return verify->repair ? ANNALS_ROCKSDB_REPAIR : ANNALS_ROCKSDB_REPAIR_NONE;
}

static int run(struct verify *verify) {
  g_autofree char *path = store_of(verify->paths[0]);
  g_autoptr(GError) error = NULL;
  struct annals_schema *schema = annals_schema_new();
  struct annals_audit *audit = annals_audit_new(schema);
  verify->store.auditor = annals_audit_auditor(audit);
  verify->store.on_fault = on_fault;
  verify->store.on_progress = on_progress;
  annals_fault_report_begin(&verify->report, verify->cli, verify->json, verify->dry_run);
  int status = ANNALS_EXIT_USAGE;
  if (annals_rocksdb_verify(path, repair_of(verify), &verify->store, &error)) {
    const struct annals_fault_counts counts = counts_of(&verify->store.summary);
    status = annals_fault_report_end(&verify->report, &counts,
                                     verify->store.op.outcome == ANNALS_STORE_OK);
  } else {
    annals_cli_error(verify->cli, "%s", error->message);
  }
  if (verify->store.op.outcome == ANNALS_STORE_FAILED) {
    annals_cli_error(verify->cli, "%s", verify->store.op.detail);
    status = ANNALS_EXIT_USAGE;
  }
  annals_audit_free(audit);
  annals_schema_free(schema);
  return status;
}

static bool check_arguments(const struct verify *verify, int *ret_exit) {
  guint count = verify->paths != NULL ? g_strv_length(verify->paths) : 0;
  if (count != 1) {
    *ret_exit = annals_cli_usage_error(verify->cli, "one DIR is wanted");
  } else if (verify->dry_run && !verify->repair) {
    *ret_exit = annals_cli_usage_error(verify->cli, "--dry-run goes with --repair");
  } else {
    return true;
  }
  return false;
}

int annals_verify_command_run(struct annals_cli *cli, char *const *argv) {
  struct verify verify = {.cli = cli};
  const GOptionEntry entries[] = {
      {"repair", 0, 0, G_OPTION_ARG_NONE, &verify.repair, "Put records and listings right", NULL},
      {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &verify.dry_run, "Say what --repair would do", NULL},
      {"json", 0, 0, G_OPTION_ARG_NONE, &verify.json, "Print JSON, an object on each line", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &verify.paths, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"DIR", help, entries};
  cli->offline = true;
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&verify, &status)) {
    status = run(&verify);
  }
  g_strfreev(verify.paths);
  return status;
}
