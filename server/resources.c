#include "server/resources.h"

#include <sched.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

enum {
  BUDGET_MIB_MIN = 256,
  /* The program, its threads, RocksDB's notes on each open file, and what malloc cannot reuse. */
  OVERHEAD_MIB = 96,
  MIB_MAX = 1 << 20,
  BLOCK_KIB_MAX = 1 << 10,
  THREADS_MAX = 256,
  OPEN_FILES_MIN = 64,
};

static const char *const compressions[] = {
    [ANNALS_ROCKSDB_ZSTD] = "zstd",
    [ANNALS_ROCKSDB_LZ4] = "lz4",
    [ANNALS_ROCKSDB_UNCOMPRESSED] = "none",
};

static bool read_compression(const char *text, enum annals_rocksdb_compression *ret_compression,
                             GError **error) {
  for (size_t i = 0; i < G_N_ELEMENTS(compressions); i++) {
    if (strcmp(text, compressions[i]) == 0) {
      *ret_compression = (enum annals_rocksdb_compression)i;
      return true;
    }
  }
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
              "--store-compression: '%s' is not zstd, lz4 or none", text);
  return false;
}

static bool check_number(const char *name, int64_t number, int64_t min, int64_t max,
                         GError **error) {
  if (number >= min && number <= max) {
    return true;
  }
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
              "--%s: %" G_GINT64_FORMAT " is not from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
              name, number, min, max);
  return false;
}

static bool check_numbers(const struct annals_options *o, GError **error) {
  return check_number("memory-budget", o->memory_budget, BUDGET_MIB_MIN, MIB_MAX, error) &&
         check_number("store-cache", o->store_cache, 0, MIB_MAX, error) &&
         check_number("store-memtables", o->store_memtables, 0, MIB_MAX, error) &&
         check_number("store-block-size", o->store_block_size, 1, BLOCK_KIB_MAX, error) &&
         check_number("store-blob-size", o->store_blob_size, 0, MIB_MAX, error) &&
         check_number("store-background-jobs", o->store_background_jobs, 0, THREADS_MAX, error) &&
         check_number("store-background-rate", o->store_background_rate, 0, MIB_MAX, error) &&
         check_number("store-open-files", o->store_open_files, OPEN_FILES_MIN, MIB_MAX, error) &&
         check_number("store-threads", o->store_threads, 1, THREADS_MAX, error);
}

/* The store has five eighths of what is to be had, the traffic of each transport half of the rest.
 * An append is there several times over: as it came, as it is kept, and in the batch. What gRPC's
 * core has is little beside them, but where clients mean harm: with half of the budget for it there
 * is no more than four thirds of the budget in all. */
static void share_out(uint64_t budget_bytes, struct annals_resources *resources) {
  const uint64_t bytes = budget_bytes - (uint64_t)OVERHEAD_MIB * MIB;
  const uint64_t traffic = bytes / 8 * 3;
  resources->store.memory_bytes = bytes - traffic;
  resources->reply_bytes_max = traffic / 2;
  resources->held_bytes_max = traffic / 2;
  resources->admitted_bytes_max = traffic / 6;
  resources->core_bytes_max = budget_bytes / 2;
}

/* The processors that this process may run on: two threads that share one get into each other's way
 * at every connection. */
static unsigned usable_processors(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set)
                                                     : g_get_num_processors();
}

bool annals_resources_read(const struct annals_options *options,
                           struct annals_resources *ret_resources, GError **error) {
  *ret_resources = (struct annals_resources){
      .store_threads = (int)options->store_threads,
      .transport_threads = usable_processors(),
      .store =
          {
              .memtable_bytes = (uint64_t)options->store_memtables * MIB,
              .cache_bytes = (uint64_t)options->store_cache * MIB,
              .block_bytes = (uint64_t)options->store_block_size * KIB,
              .blob_bytes = (uint64_t)options->store_blob_size * KIB,
              .background_jobs = (int)options->store_background_jobs,
              .background_rate = (uint64_t)options->store_background_rate * MIB,
              .open_files = (int)options->store_open_files,
          },
  };
  if (!check_numbers(options, error) ||
      !read_compression(options->store_compression, &ret_resources->store.compression, error)) {
    return false;
  }
  share_out((uint64_t)options->memory_budget * MIB, ret_resources);
  return true;
}
