#include "storage/rocksdb/rocksdb_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "storage/outcome.h"
#include "storage/rocksdb/rebuild.h"
#include "storage/rocksdb/schema_version.h"
#include "storage/rocksdb/verification.h"

/* ---- whose turn it is ---------------------------------------------------------------------- */

/* RocksDB locks this file with fcntl. Returns -1 having failed. */
static int lock(const char *path, GError **error) {
  g_autofree char *file = g_build_filename(path, "LOCK", NULL);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) == 0) {
    return fd;
  }
  int why = errno;
  if (fd >= 0) {
    close(fd);
  }
  bool in_use = why == EAGAIN || why == EACCES;
  if (fd >= 0 && in_use) {
    g_set_error(error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_IN_USE,
                "%s is in use by another process", path);
  } else {
    bool missing = why == ENOENT;
    g_set_error(error, ANNALS_ROCKSDB_ERROR,
                missing ? ANNALS_ROCKSDB_ERROR_FOREIGN : ANNALS_ROCKSDB_ERROR_DENIED,
                missing ? "%s holds no store: %s" : "%s cannot be opened: %s",
                missing ? path : file, g_strerror(why));
  }
  return -1;
}

/* ---- the database -------------------------------------------------------------------------- */

/* What keeps the database from being opened: a fault, unless nothing can be said of it at all. */
static bool take_open_error(struct annals_verification *verification, GError *failure,
                            GError **error) {
  if (failure->code != ANNALS_ROCKSDB_ERROR_CORRUPT &&
      failure->code != ANNALS_ROCKSDB_ERROR_FAILED) {
    g_propagate_error(error, failure);
    return false;
  }
  if (verification->request->summary.faults == 0) {
    annals_verification_fault(verification, &(struct annals_store_fault){
                                                .file = "",
                                                .part = "",
                                                .arn = "",
                                                .text = failure->message,
                                            });
  }
  annals_store_op_set(&verification->request->op, ANNALS_STORE_CORRUPT, failure->message);
  g_error_free(failure);
  return true;
}

static bool check_version(const struct annals_database *database, const char *path, bool repair,
                          GError **error) {
  int version;
  if (!annals_schema_version_read(database, path, &version, error)) {
    return false;
  }
  if (version >= ANNALS_SCHEMA_VERSION || version == 0 || repair) {
    return true;
  }
  g_set_error(
      error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_FOREIGN,
      "%s has schema version %d, and is checked when it has version %d: it gets that when a "
      "server opens it, or by a repair",
      path, version, ANNALS_SCHEMA_VERSION);
  return false;
}

static bool rebuild(const struct annals_verification *verification,
                    struct annals_database *database, const char *path, GError **error) {
  const struct annals_rocksdb_tuning tuning = {0};
  char *rocksdb_error = NULL;
  if (!annals_rebuild_run(database, &tuning, verification->damaged, &rocksdb_error)) {
    annals_database_set_error(error, path, rocksdb_error);
    return false;
  }
  return true;
}

static bool check_database(struct annals_verification *verification, const char *path,
                           GError **error) {
  const bool repair = verification->repair == ANNALS_REPAIR;
  const struct annals_rocksdb_tuning tuning = {0};
  struct annals_database database = {0};
  GError *failure = NULL;
  if (!annals_database_open(path, &tuning, repair ? ANNALS_DATABASE_CALM : ANNALS_DATABASE_LOOK,
                            &database, &failure)) {
    return take_open_error(verification, failure, error);
  }
  if (!check_version(&database, path, repair, &failure)) {
    annals_database_close(&database);
    return take_open_error(verification, failure, error);
  }
  bool ok = !repair || rebuild(verification, &database, path, error);
  if (ok) {
    verification->db = database.db;
    verification->families = database.families;
    annals_verification_run(verification);
    ok = !repair || verification->request->op.outcome != ANNALS_STORE_OK ||
         annals_schema_version_put(&database, path, error);
  }
  annals_database_close(&database);
  return ok;
}

bool annals_rocksdb_verify(const char *path, enum annals_rocksdb_repair repair,
                           struct annals_store_verify *verify, GError **error) {
  struct annals_verification verification = {
      .request = verify,
      .repair = (enum annals_repair)repair,
  };
  int fd = lock(path, error);
  if (fd < 0) {
    return false;
  }
  verify->summary = (struct annals_store_verify_summary){0};
  (void)annals_verification_check_files(&verification, path, false);
  if (repair == ANNALS_ROCKSDB_REPAIR) {
    close(fd); /* for RocksDB to take */
    fd = -1;
  }
  bool ok = true;
  if (verification.stopped) {
    annals_store_op_set(&verify->op, ANNALS_STORE_UNAVAILABLE, "stopped");
  } else {
    ok = check_database(&verification, path, error);
  }
  if (fd >= 0) {
    close(fd);
  }
  return ok;
}
