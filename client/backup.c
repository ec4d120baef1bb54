#include "client/backup.h"

#include <inttypes.h>

#include "client/aws_time.h"

enum {
  BYTES_PER_MIB = 1 << 20,
  TIMEOUT_MS = 24 * 3600 * 1000, /* a terabyte at 12 MiB a second */
};

static const char help[] =
    "Has the server make a backup of all that it keeps, while it goes on serving.\n"
    "\n"
    "DIR is on the server's machine, below its --backup-dir; what is there already is not copied\n"
    "again. What was acknowledged before is in the backup, which is whole and on disk when the\n"
    "command says so. A command that is interrupted does not stop the server from making it.";

struct backup {
  struct annals_cli *cli;
  char **directories;
  int keep;
};

static void print(const struct backup *backup, const Annals__V1__CreateBackupResponse *made) {
  char time[ANNALS_TIME_TEXT_SIZE] = "?";
  if (made->create_time != NULL) {
    annals_time_to_text((struct annals_time){made->create_time->seconds, made->create_time->nanos},
                        time);
  }
  fprintf(backup->cli->out,
          "backup %" PRId64 " in %s: begun %s, %" PRId64
          " files, %.1f MiB, %.1f MiB of them new, "
          "up to change %" PRId64,
          made->backup_id, backup->directories[0], time, made->file_count,
          (double)made->size_bytes / BYTES_PER_MIB, (double)made->copied_bytes / BYTES_PER_MIB,
          made->last_sequence);
  if (made->deleted_count > 0) {
    fprintf(backup->cli->out, ", %d older deleted", made->deleted_count);
  }
  fputc('\n', backup->cli->out);
}

static int run(const struct backup *backup) {
  backup->cli->connect.timeout_ms = TIMEOUT_MS;
  struct annals_client *client = annals_cli_connect(backup->cli);
  if (client == NULL) {
    return ANNALS_EXIT_USAGE;
  }
  const struct annals_client_backup_request request = {
      .directory = backup->directories[0],
      .keep = backup->keep,
  };
  Annals__V1__CreateBackupResponse *made;
  GError *error = NULL;
  bool ok = annals_client_create_backup(client, &request, &made, &error);
  if (ok) {
    print(backup, made);
    annals_client_backup_free(made);
    ok = annals_cli_flush(backup->cli);
  } else {
    g_autofree char *text = annals_cli_describe(error);
    annals_cli_error(backup->cli, "%s", text);
    g_error_free(error);
  }
  annals_client_close(client);
  return ok ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

static bool check_arguments(const struct backup *backup, int *ret_exit) {
  guint count = backup->directories != NULL ? g_strv_length(backup->directories) : 0;
  if (count != 1) {
    *ret_exit = annals_cli_usage_error(backup->cli, "one DIR is wanted, not %u", count);
  } else if (backup->keep < 0) {
    *ret_exit = annals_cli_usage_error(backup->cli, "--keep is not negative");
  } else {
    return true;
  }
  return false;
}

int annals_backup_command_run(struct annals_cli *cli, char *const *argv) {
  struct backup backup = {.cli = cli};
  const GOptionEntry entries[] = {
      {"keep", 0, 0, G_OPTION_ARG_INT, &backup.keep,
       "Keep the N newest backups of DIR, this one among them, and delete the others", "N"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &backup.directories, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"DIR", help, entries};
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&backup, &status)) {
    status = run(&backup);
  }
  g_strfreev(backup.directories);
  return status;
}
