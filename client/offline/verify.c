#include "client/offline/verify.h"

#include "client/fault_report.h"
#include "server/history/audit.h"
#include "storage/rocksdb/data_dir.h"
#include "storage/rocksdb/rocksdb_verify.h"

enum { RATE_MIB_MAX = 1 << 20 };

static const char help[] =
    "Checks the data directory DIR of a server that is not running: that every file is whole, and\n"
    "that histories, records and listings are whole and agree. Each fault is a line. Without DIR "
    "a\n"
    "running server checks its own, as it stands now, no faster than --rate.\n"
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
  gint64 rate_mib;
  bool done; /* the server has checked everything */
  struct annals_fault_counts counts;
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

static int run_offline(struct verify *verify) {
  g_autofree char *path = store_of(verify->paths[0]);
  g_autoptr(GError) error = NULL;
  struct annals_schema *schema = annals_schema_new();
  struct annals_audit *audit = annals_audit_new(schema);
  verify->store.auditor = annals_audit_auditor(audit);
  verify->store.on_fault = on_fault;
  verify->store.on_progress = on_progress;
  int status = ANNALS_EXIT_USAGE;
  if (annals_rocksdb_verify(path, repair_of(verify), &verify->store, &error)) {
    const struct annals_fault_counts counts = counts_of(&verify->store.summary);
    status = annals_fault_report_end(&verify->report, &counts,
                                     verify->store.op.outcome == ANNALS_STORE_OK);
  } else {
    annals_fault_report_stop(&verify->report);
    annals_cli_error(verify->cli, "%s", error->message);
  }
  if (verify->store.op.outcome == ANNALS_STORE_FAILED) {
    annals_cli_error(verify->cli, "%s", verify->store.op.detail);
    status = ANNALS_EXIT_USAGE;
  } else if (verify->store.op.outcome == ANNALS_STORE_CORRUPT) {
    annals_cli_error(verify->cli,
                     "this damage keeps the store from being opened, and a repair does not mend "
                     "it: restore a backup, see Verify and repair in deploy/README.md");
  }
  annals_audit_free(audit);
  annals_schema_free(schema);
  return status;
}

static bool on_response(const struct annals_client_verify_request *request,
                        const Annals__V1__VerifyStoreResponse *response) {
  struct verify *verify = request->owner;
  for (size_t i = 0; i < response->n_faults; i++) {
    const Annals__V1__StoreFault *fault = response->faults[i];
    annals_fault_report_add(&verify->report, &(struct annals_fault_line){
                                                 .file = fault->file,
                                                 .part = fault->part,
                                                 .execution_arn = fault->execution_arn,
                                                 .event_id = fault->event_id,
                                                 .text = fault->text,
                                             });
  }
  if (response->counts != NULL) {
    verify->counts = (struct annals_fault_counts){
        .executions = response->counts->executions,
        .events = response->counts->events,
        .bytes = response->counts->bytes,
        .faults = response->counts->faults,
        .unchecked_files = response->counts->unchecked_files,
    };
    annals_fault_report_progress(&verify->report, &verify->counts);
  }
  verify->done |= response->done;
  return !annals_cli_is_lost(verify->cli);
}

static int run_online(struct verify *verify) {
  struct annals_client *client = annals_cli_connect(verify->cli);
  if (client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  const struct annals_client_verify_request request = {
      .max_bytes_per_second = verify->rate_mib << 20,
      .on_response = on_response,
      .owner = verify,
  };
  int status = ANNALS_EXIT_USAGE;
  g_autoptr(GError) error = NULL;
  if (annals_client_verify_store(client, &request, &error)) {
    status = annals_fault_report_end(&verify->report, &verify->counts, verify->done);
  } else {
    annals_fault_report_stop(&verify->report);
    g_autofree char *text = annals_cli_describe(error);
    annals_cli_error(verify->cli, "%s", text);
  }
  annals_client_close(client);
  return status;
}

static int run(struct verify *verify) {
  annals_fault_report_begin(&verify->report, verify->cli, verify->json, verify->dry_run);
  return verify->paths != NULL ? run_offline(verify) : run_online(verify);
}

static bool check_arguments(const struct verify *verify, int *ret_exit) {
  guint count = verify->paths != NULL ? g_strv_length(verify->paths) : 0;
  if (count > 1) {
    *ret_exit = annals_cli_usage_error(verify->cli, "one DIR is wanted, or none");
  } else if (count == 0 && verify->repair) {
    *ret_exit = annals_cli_usage_error(verify->cli, "--repair needs DIR, and that no server runs");
  } else if (verify->rate_mib < 0 || verify->rate_mib > RATE_MIB_MAX) {
    *ret_exit = annals_cli_usage_error(verify->cli, "--rate is 0 to %d", RATE_MIB_MAX);
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
      {"rate", 0, 0, G_OPTION_ARG_INT64, &verify.rate_mib,
       "Have the server read no more in a second (default: 32)", "MIB"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &verify.paths, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"[DIR]", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&verify, &status)) {
    status = run(&verify);
  }
  g_strfreev(verify.paths);
  return status;
}
