#include "storage/rocksdb/backup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/outcome.h"
#include "storage/rocksdb/backup_place.h"
#include "storage/rocksdb/job.h"

#define SHARED "shared_checksum"
#define PRIVATE "private"

/* ---- room ---------------------------------------------------------------------------------- */

/* Adds up the files of a directory whose names end so. One that is not there has none. */
static uint64_t directory_bytes(const char *path, const char *suffix) {
  uint64_t bytes = 0;
  GDir *directory = g_dir_open(path, 0, NULL);
  const char *name;
  while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
    g_autofree char *file = g_build_filename(path, name, NULL);
    struct stat about;
    if (g_str_has_suffix(name, suffix) && stat(file, &about) == 0) {
      bytes += (uint64_t)about.st_size;
    }
  }
  g_clear_pointer(&directory, g_dir_close);
  return bytes;
}

/* Gives the tables that the backups have, by number and size: `000012_4711.sst`, as in the names
 * that BackupEngine makes of number, session and size. */
static GHashTable *shared_tables(const char *path) {
  GHashTable *tables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *shared = g_build_filename(path, SHARED, NULL);
  GDir *directory = g_dir_open(shared, 0, NULL);
  const char *name;
  while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
    const char *session = strchr(name, '_');
    const char *size = strrchr(name, '_');
    if (session != NULL) {
      g_hash_table_add(tables, g_strdup_printf("%.*s%s", (int)(session - name), name, size));
    }
  }
  g_clear_pointer(&directory, g_dir_close);
  return tables;
}

/* Tells how much a backup will write: tables that are not there, and the log. */
static uint64_t bytes_to_copy(struct annals_engine *engine, const char *path) {
  g_autoptr(GHashTable) tables = shared_tables(path);
  uint64_t bytes = directory_bytes(engine->disk.path, ".log");
  const rocksdb_livefiles_t *files = rocksdb_livefiles(engine->db);
  for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
    size_t size = rocksdb_livefiles_size(files, i);
    const char *name = rocksdb_livefiles_name(files, i) + 1; /* "/000012.sst" */
    g_autofree char *key = g_strdup_printf("%.*s_%zu.sst", (int)strcspn(name, "."), name, size);
    bytes += g_hash_table_contains(tables, key) ? 0 : size;
  }
  rocksdb_livefiles_destroy(files);
  return bytes;
}

/* A backup may be on the store's own disk, and must leave there what appends need. */
static bool has_room(struct annals_engine *engine, struct annals_store_backup *backup,
                     const char *path) {
  uint64_t needed = bytes_to_copy(engine, path);
  uint64_t free_bytes = annals_disk_free_bytes(&engine->disk, path);
  if (free_bytes / 2 >= needed / 2 + engine->disk.min_free_bytes / 2) {
    return true;
  }
  g_autofree char *detail =
      g_strdup_printf("%" G_GUINT64_FORMAT " MiB are to be copied, %" G_GUINT64_FORMAT
                      " MiB are free, and %" G_GUINT64_FORMAT " MiB must stay so",
                      needed >> 20, free_bytes >> 20, engine->disk.min_free_bytes >> 20);
  annals_store_op_set(&backup->op, ANNALS_STORE_NO_SPACE, detail);
  return false;
}

/* ---- the backup ---------------------------------------------------------------------------- */

/* Says what RocksDB says, and frees it. Returns whether it was nothing. */
static bool check(struct annals_store_backup *backup, char *rocksdb_error) {
  if (rocksdb_error == NULL) {
    return true;
  }
  bool full = annals_status_classify(rocksdb_error) == ANNALS_STATUS_NO_SPACE;
  annals_store_op_set(&backup->op, full ? ANNALS_STORE_NO_SPACE : ANNALS_STORE_FAILED,
                      rocksdb_error);
  rocksdb_free(rocksdb_error);
  return false;
}

static rocksdb_backup_engine_t *open_backups(struct annals_store_backup *backup, const char *path) {
  char *rocksdb_error = NULL;
  rocksdb_env_t *env = rocksdb_create_default_env();
  rocksdb_backup_engine_options_t *options = rocksdb_backup_engine_options_create(path);
  rocksdb_backup_engine_t *backups = rocksdb_backup_engine_open_opts(options, env, &rocksdb_error);
  rocksdb_backup_engine_options_destroy(options);
  rocksdb_env_destroy(env);
  return check(backup, rocksdb_error) ? backups : NULL;
}

/* Deletes the oldest backups, and what is left of those that were cut short. */
static bool purge(struct annals_store_backup *backup, rocksdb_backup_engine_t *backups,
                  uint32_t keep) {
  char *rocksdb_error = NULL;
  rocksdb_backup_engine_purge_old_backups(backups, keep > 0 ? keep : UINT32_MAX, &rocksdb_error);
  return check(backup, rocksdb_error);
}

static void take_info(struct annals_store_backup *backup, rocksdb_backup_engine_t *backups) {
  const rocksdb_backup_engine_info_t *info = rocksdb_backup_engine_get_backup_info(backups);
  int count = rocksdb_backup_engine_info_count(info);
  g_assert(count > 0);
  backup->id = rocksdb_backup_engine_info_backup_id(info, count - 1);
  backup->time_s = rocksdb_backup_engine_info_timestamp(info, count - 1);
  backup->file_count = rocksdb_backup_engine_info_number_files(info, count - 1);
  backup->size_bytes = (int64_t)rocksdb_backup_engine_info_size(info, count - 1);
  backup->deleted_count =
      backup->keep > 0 && (uint32_t)count > backup->keep ? count - (int32_t)backup->keep : 0;
  rocksdb_backup_engine_info_destroy(info);
}

static bool create(struct annals_engine *engine, struct annals_store_backup *backup,
                   const char *path, rocksdb_backup_engine_t *backups) {
  g_autofree char *shared = g_build_filename(path, SHARED, NULL);
  uint64_t shared_bytes = directory_bytes(shared, "");
  char *rocksdb_error = NULL;
  backup->last_sequence = (int64_t)rocksdb_get_latest_sequence_number(engine->db);
  rocksdb_backup_engine_create_new_backup(backups, engine->db, &rocksdb_error);
  if (!check(backup, rocksdb_error)) {
    return false;
  }
  take_info(backup, backups);
  g_autofree char *own = g_strdup_printf("%s/" PRIVATE "/%" G_GINT64_FORMAT, path, backup->id);
  backup->copied_bytes =
      (int64_t)(directory_bytes(shared, "") - shared_bytes + directory_bytes(own, ""));
  return true;
}

static bool copy_beside(struct annals_store_backup *backup, const char *path) {
  g_autoptr(GError) error = NULL;
  if (backup->beside == NULL || annals_backup_copy_beside(backup->beside, path, &error)) {
    return true;
  }
  annals_store_op_set(&backup->op, ANNALS_STORE_FAILED, error->message);
  return false;
}

/* What was cut short goes first: it may be what fills the disk. */
static void make(struct annals_engine *engine, struct annals_store_backup *backup,
                 const char *path) {
  rocksdb_backup_engine_t *backups = open_backups(backup, path);
  if (backups != NULL) {
    (void)(purge(backup, backups, 0) && has_room(engine, backup, path) &&
           copy_beside(backup, path) && create(engine, backup, path, backups) &&
           purge(backup, backups, backup->keep));
    rocksdb_backup_engine_close(backups);
  }
}

/* Gives what RocksDB calls the database, or NULL. Memory: g_free() it. */
static char *identity_of(struct annals_engine *engine) {
  g_autofree char *file = g_build_filename(engine->disk.path, "IDENTITY", NULL);
  char *text = NULL;
  return g_file_get_contents(file, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

static void *run(void *data) {
  struct annals_job *job = data;
  struct annals_engine *engine = job->engine;
  struct annals_store_backup *backup = (struct annals_store_backup *)job->op;
  g_autofree char *identity = identity_of(engine);
  if (identity == NULL) {
    annals_store_op_set(&backup->op, ANNALS_STORE_FAILED, "the store's IDENTITY cannot be read");
  } else {
    struct annals_backup_place place;
    if (annals_backup_place_take(backup, identity, &place)) {
      make(engine, backup, place.path);
    }
    annals_backup_place_close(&place);
  }
  pthread_mutex_lock(&engine->lock);
  engine->backing_up = false;
  pthread_mutex_unlock(&engine->lock);
  annals_job_finish(job);
  return NULL;
}

static bool claim(struct annals_engine *engine) {
  pthread_mutex_lock(&engine->lock);
  bool mine = !engine->backing_up;
  engine->backing_up = true;
  pthread_mutex_unlock(&engine->lock);
  return mine;
}

static void start(struct annals_job *job) {
  if (!annals_job_run_apart(job, run)) {
    pthread_mutex_lock(&job->engine->lock);
    job->engine->backing_up = false;
    pthread_mutex_unlock(&job->engine->lock);
    annals_job_finish(job);
  }
}

enum annals_store_progress annals_engine_backup(struct annals_store *store,
                                                struct annals_store_backup *backup) {
  struct annals_engine *engine = (struct annals_engine *)store;
  if (!annals_engine_begin(engine, &backup->op)) {
    return ANNALS_STORE_DONE;
  }
  if (!claim(engine)) {
    annals_store_op_set(&backup->op, ANNALS_STORE_BUSY, NULL);
    return annals_engine_done(engine);
  }
  start(annals_job_new(engine, &backup->op));
  return annals_engine_submit(engine, &backup->op);
}
