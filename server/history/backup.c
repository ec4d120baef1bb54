#include "server/history/backup.h"

#include <string.h>

#include "server/history/constraint.h"
#include "server/history/error.h"

/* Gives what follows root in an absolute path below it, a relative one as it is, or NULL. */
static const char *below(const char *root, const char *path) {
  if (path[0] != '/') {
    return path;
  }
  size_t length = strlen(root);
  while (length > 0 && root[length - 1] == '/') {
    length--;
  }
  return strncmp(path, root, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

/* Whether a path is made of names that lead downwards alone. */
static bool leads_down(const char *path) {
  g_auto(GStrv) names = g_strsplit(path, "/", -1);
  for (char **name = names; *name != NULL; name++) {
    bool is_last = name[1] == NULL && name != names;
    if (strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0 || (**name == '\0' && !is_last)) {
      return false;
    }
  }
  for (const char *c = path; *c != '\0'; c++) {
    if (g_ascii_iscntrl(*c)) {
      return false;
    }
  }
  return *path != '\0';
}

static void check_directory(GError **error, const char *directory) {
  if (directory == NULL || *directory == '\0') {
    annals_constraint_violated(error, "directory", NULL, "Member must not be null");
  } else {
    annals_constraint_length(error, "directory", directory, ANNALS_BACKUP_DIRECTORY_BYTES_MAX);
  }
}

static GError *refused(const char *directory, const char *why) {
  GError *error =
      annals_error_new(ANNALS_REASON_INVALID_REQUEST, "the directory '%s' %s", directory, why);
  annals_error_add_metadata(error, "field", "directory");
  annals_error_add_violation(error, "directory", directory, why);
  return error;
}

static GError *check_request(struct annals_history *history, struct annals_backup *backup) {
  const struct annals_backup_request *request = &backup->request;
  const struct annals_history_options *options = annals_history_options(history);
  GError *error = NULL;
  check_directory(&error, request->directory);
  if (request->keep < 0) {
    annals_constraint_violated(&error, "keep", NULL,
                               "Member must have value greater than or equal to 0");
  }
  if (error != NULL ||
      !annals_authorize(history, request->principal, ANNALS_ACTION_CREATE_BACKUP, "*", &error)) {
    return error;
  }
  if (options->store->ops->backup == NULL) {
    return annals_error_new(ANNALS_REASON_UNSUPPORTED, "the server's store makes no backups");
  }
  if (options->backup_dir == NULL) {
    return annals_error_new(ANNALS_REASON_BACKUPS_DISABLED,
                            "the server has no directory for backups: it needs --backup-dir");
  }
  const char *path = below(options->backup_dir, request->directory);
  if (path == NULL || !leads_down(path)) {
    return refused(request->directory, "is not a path below the server's --backup-dir");
  }
  backup->backup.directory = path;
  return annals_cancel_is_due(backup->cancel) ? annals_cancel_error(backup->cancel) : NULL;
}

static GError *error_of(const struct annals_backup *backup) {
  const struct annals_store_op *op = &backup->backup.op;
  GError *error;
  switch (op->outcome) {
    case ANNALS_STORE_OK:
      return NULL;
    case ANNALS_STORE_BUSY:
      return annals_error_new(ANNALS_REASON_ALREADY_RUNNING, "another backup is under way");
    case ANNALS_STORE_REFUSED:
      return refused(backup->request.directory, op->detail);
    case ANNALS_STORE_NO_SPACE:
      return annals_error_new(ANNALS_REASON_NO_SPACE, "the backup has no room: %s", op->detail);
    case ANNALS_STORE_FAILED:
      error = annals_error_new(ANNALS_REASON_BACKUP_FAILED, "the backup failed: %s", op->detail);
      annals_error_set_detail(error, op->detail);
      return error;
    default:
      return annals_history_read_error(op);
  }
}

static void finish(struct annals_store_op *op) {
  struct annals_backup *backup = op->owner;
  backup->error = error_of(backup);
  backup->on_done(backup);
}

enum annals_progress annals_backup_run(struct annals_history *history,
                                       struct annals_backup *backup) {
  const struct annals_history_options *options = annals_history_options(history);
  backup->error = check_request(history, backup);
  if (backup->error != NULL) {
    return ANNALS_DONE;
  }
  backup->backup.op = (struct annals_store_op){.on_done = finish, .owner = backup};
  backup->backup.root = options->backup_dir;
  backup->backup.beside = options->backup_beside;
  backup->backup.keep = (uint32_t)backup->request.keep;
  if (options->store->ops->backup(options->store, &backup->backup) == ANNALS_STORE_PENDING) {
    return ANNALS_PENDING;
  }
  backup->error = error_of(backup);
  return ANNALS_DONE;
}

void annals_backup_clear(struct annals_backup *backup) {
  g_clear_error(&backup->error);
}
