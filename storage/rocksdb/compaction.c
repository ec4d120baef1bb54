#include "storage/rocksdb/compaction.h"

#include <sys/stat.h>

/* RocksDB's defaults: how big the first level behind level 0 is, and a file. One of these is
 * compacted with those that it overlaps, ten on the average. */
static const uint64_t LEVEL_BASE_BYTES = 256 << 20;
static const uint64_t FILE_BYTES = 64 << 20;
enum {
  OVERLAPPING_FILES = 12,
  DELETED_KIB_TO_FLUSH =
      64 << 10, /* so much stays on the disk at most, where nothing is appended */
};

static uint64_t property(struct annals_engine *engine, int family, const char *name) {
  uint64_t value = 0;
  /* Returns 0 and leaves value alone where the property is not known. */
  (void)rocksdb_property_int_cf(engine->db, engine->families[family], name, &value);
  return value;
}

/* Level 0 goes as a whole, with all of the next one. No compaction takes more than there is. */
static uint64_t family_bytes_max(struct annals_engine *engine, int family) {
  uint64_t files = property(engine, family, "rocksdb.num-files-at-level0");
  uint64_t all = property(engine, family, "rocksdb.live-sst-files-size");
  uint64_t level0 = files * engine->memtable_bytes + LEVEL_BASE_BYTES;
  return MIN(all, MAX(level0, OVERLAPPING_FILES * FILE_BYTES));
}

uint64_t annals_compaction_bytes_max(struct annals_engine *engine) {
  uint64_t bytes = 0;
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    bytes = MAX(bytes, family_bytes_max(engine, i));
  }
  return bytes;
}

static uint64_t table_bytes(const char *path) {
  uint64_t bytes = 0;
  GDir *dir = g_dir_open(path, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
    g_autofree char *file = g_build_filename(path, name, NULL);
    struct stat status;
    if (g_str_has_suffix(name, ".sst") && stat(file, &status) == 0) {
      bytes += (uint64_t)status.st_size;
    }
  }
  g_clear_pointer(&dir, g_dir_close);
  return bytes;
}

bool annals_compaction_has_room(const struct annals_engine *engine) {
  const struct annals_disk *disk = &engine->disk;
  const uint64_t most = OVERLAPPING_FILES * FILE_BYTES;
  return disk->min_free_bytes == 0 ||
         annals_disk_free_bytes(disk, disk->path) >= MIN(table_bytes(disk->path), most);
}

static void set_paused(struct annals_engine *engine, bool paused) {
  const char *key = "disable_auto_compactions";
  const char *value = paused ? "true" : "false";
  for (int i = 0; i < ANNALS_FAMILY_COUNT; i++) {
    char *error = NULL;
    rocksdb_set_options_cf(engine->db, engine->families[i], 1, &key, &value, &error);
    /* It fails when writes have stopped; there are no compactions then. */
    rocksdb_free(error);
  }
}

/* Looks for damage last: whoever finds it meanwhile pauses them before that or behind it. */
void annals_compaction_pause(struct annals_engine *engine, bool paused) {
  set_paused(engine, paused);
  if (!paused && g_atomic_int_get(&engine->damaged) != 0) {
    set_paused(engine, true);
  }
}

void annals_compaction_flush_deletions(struct annals_engine *engine) {
  if (g_atomic_int_get(&engine->deleted_kib) < DELETED_KIB_TO_FLUSH) {
    return;
  }
  g_atomic_int_set(&engine->deleted_kib, 0);
  char *error = NULL;
  rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
  rocksdb_flushoptions_set_wait(options, 0);
  rocksdb_flush_cf(engine->db, options, engine->families[ANNALS_FAMILY_HISTORY], &error);
  rocksdb_flushoptions_destroy(options);
  /* What fails here fails the next write, too. */
  rocksdb_free(error);
}
