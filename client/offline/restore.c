#include "client/offline/restore.h"

#include "client/aws_time.h"
#include "storage/rocksdb/restore.h"

enum { BYTES_PER_MIB = 1 << 20 };

static const char help[] =
    "Restores a backup of DIR, as 'annals backup' made it, into DATA_DIR, for a server to start "
    "on.\n"
    "\n"
    "DATA_DIR is made if it is missing, and has to be empty. Every file is checked; a backup with\n"
    "any damage is not restored, and what is damaged is named. With --check nothing is restored;\n"
    "with --list neither: it shows what backups there are.";

struct restore {
  struct annals_cli *cli;
  char **paths;
  gint64 id;
  gboolean check;
  gboolean list;
};

static void print(const struct restore *restore, const char *what,
                  const struct annals_backup_info *info) {
  char time[ANNALS_TIME_TEXT_SIZE];
  annals_time_to_text((struct annals_time){info->time_s, 0}, time);
  fprintf(restore->cli->out,
          "backup %" G_GINT64_FORMAT "%s: begun %s, %" G_GINT64_FORMAT " files, %.1f MiB\n",
          info->id, what, time, info->file_count, (double)info->size_bytes / BYTES_PER_MIB);
}

static int fail(const struct restore *restore, GError *error) {
  annals_cli_error(restore->cli, "%s", error->message);
  g_error_free(error);
  return ANNALS_EXIT_FAILED;
}

static int list(const struct restore *restore) {
  GError *error = NULL;
  g_autoptr(GArray) backups = annals_rocksdb_list_backups(restore->paths[0], &error);
  if (backups == NULL) {
    return fail(restore, error);
  }
  for (guint i = 0; i < backups->len; i++) {
    print(restore, "", &g_array_index(backups, struct annals_backup_info, i));
  }
  return annals_cli_flush(restore->cli) ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

static void on_fault(struct annals_restore *request, const char *file, const char *text) {
  const struct restore *restore = request->owner;
  annals_cli_error(restore->cli, "%s/%s: %s", request->backups, file, text);
}

static int run(struct restore *restore) {
  struct annals_restore request = {
      .backups = restore->paths[0],
      .id = restore->id,
      .data_dir = restore->check ? NULL : restore->paths[1],
      .on_fault = on_fault,
      .owner = restore,
  };
  GError *error = NULL;
  if (!annals_rocksdb_restore(&request, &error)) {
    return fail(restore, error);
  }
  print(restore, restore->check ? " is whole" : " restored", &request.info);
  return annals_cli_flush(restore->cli) ? ANNALS_EXIT_OK : ANNALS_EXIT_FAILED;
}

static bool check_arguments(const struct restore *restore, int *ret_exit) {
  guint count = restore->paths != NULL ? g_strv_length(restore->paths) : 0;
  bool reads = restore->check || restore->list;
  if (restore->check && restore->list) {
    *ret_exit = annals_cli_usage_error(restore->cli, "--check and --list exclude each other");
  } else if (count != (reads ? 1 : 2)) {
    *ret_exit = annals_cli_usage_error(
        restore->cli, reads ? "DIR is wanted, and nothing else" : "DIR and DATA_DIR are wanted");
  } else if (restore->id < 0) {
    *ret_exit = annals_cli_usage_error(restore->cli, "--backup is not negative");
  } else {
    return true;
  }
  return false;
}

int annals_restore_command_run(struct annals_cli *cli, char *const *argv) {
  struct restore restore = {.cli = cli};
  const GOptionEntry entries[] = {
      {"backup", 0, 0, G_OPTION_ARG_INT64, &restore.id, "Which backup (default: the newest)", "ID"},
      {"check", 0, 0, G_OPTION_ARG_NONE, &restore.check, "Check the backup alone", NULL},
      {"list", 0, 0, G_OPTION_ARG_NONE, &restore.list, "List the backups", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &restore.paths, NULL, NULL},
      G_OPTION_ENTRY_NULL,
  };
  const struct annals_cli_usage usage = {"DIR [DATA_DIR]", help, entries};
  cli->offline = true;
  int status;
  if (annals_cli_parse(cli, argv, &usage, &status) && check_arguments(&restore, &status)) {
    status = restore.list ? list(&restore) : run(&restore);
  }
  g_strfreev(restore.paths);
  return status;
}
