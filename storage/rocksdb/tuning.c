#include "storage/rocksdb/tuning.h"

#include <string.h>

enum {
  MIB = 1 << 20,
  BLOOM_BITS_PER_KEY = 10, /* 1 % false positives */
  BLOCK_BYTES_DEFAULT = 16 << 10,
  INDEX_PART_BYTES = 8 << 10,
  OPEN_FILES_DEFAULT = 512,
  BACKGROUND_JOBS_MAX = 8,
  LOG_FATAL = 4,
  TOMBSTONES = 128, /* more than a history has open runs at once */
  MEMTABLES = 2,    /* of a family: appends go on in one while the other is flushed */
  SHARD_BITS_MAX = 6,
  SHARD_BYTES_MIN = 8 * MIB,
};

static const uint64_t MEMORY_BYTES_DEFAULT = 256 * MIB;

/* ---- memory -------------------------------------------------------------------------------- */

/*
 * Memtables: more of them write less, as open runs are put and dropped before they reach a file;
 * but all of the log is read again after a crash, so they end at 256 MiB. Tails: some hundred bytes
 * for each execution under way. The cache has the rest: pages come from there. Half of it is of
 * runs as they are sent, which a page takes half of the instructions from; what is in there is not
 * used in the blocks, and leaves them. Measured on pages of 1,000 events, 260 MB of them in a cache
 * of 650: with a quarter for runs 280 us each, with a half 165.
 */
struct annals_tuning_memory annals_tuning_memory(const struct annals_rocksdb_tuning *tuning) {
  uint64_t all = tuning->memory_bytes > 0 ? tuning->memory_bytes : MEMORY_BYTES_DEFAULT;
  struct annals_tuning_memory memory = {
      .memtable_bytes = tuning->memtable_bytes,
      .tail_table_bytes = tuning->tail_table_bytes,
      .cache_bytes = tuning->cache_bytes,
  };
  if (memory.memtable_bytes == 0) {
    memory.memtable_bytes = CLAMP(all / 4, 10 * MIB, 256 * MIB);
  }
  if (memory.tail_table_bytes == 0) {
    memory.tail_table_bytes = CLAMP(all / 8, MIB, 256 * MIB);
  }
  if (memory.cache_bytes == 0) {
    uint64_t taken = memory.memtable_bytes + memory.tail_table_bytes;
    memory.cache_bytes = MAX(all, taken + 8 * MIB) - taken;
  }
  memory.run_cache_bytes = memory.cache_bytes / 2;
  memory.cache_bytes -= memory.run_cache_bytes;
  return memory;
}

/* ---- the database -------------------------------------------------------------------------- */

/* One flush beside one compaction on two processors, as readers need them more; a quarter of many,
 * 8 of 32, which is what it takes to keep up with a writer that has a whole one: it appends an
 * event in 16 us, and flushes and compactions take some 30 for it until it rests. On more than two
 * processors that is reckoned, not measured. */
static int background_jobs(const struct annals_rocksdb_tuning *tuning) {
  if (tuning->background_jobs > 0) {
    return tuning->background_jobs;
  }
  return CLAMP((int)g_get_num_processors() / 4, 2, BACKGROUND_JOBS_MAX);
}

static void set_background(const struct annals_rocksdb_tuning *tuning, rocksdb_options_t *options) {
  rocksdb_options_set_max_background_jobs(options, background_jobs(tuning));
  /* Smooths out the writeback of flushes and compactions, which our fsyncs would wait behind. */
  rocksdb_options_set_bytes_per_sync(options, MIB);
  if (tuning->background_rate > 0) {
    rocksdb_ratelimiter_t *limiter =
        rocksdb_ratelimiter_create((int64_t)tuning->background_rate, 100 * 1000, 10);
    rocksdb_options_set_ratelimiter(options, limiter);
    rocksdb_ratelimiter_destroy(limiter);
  }
}

/* Of the database, and the beginning of each family's. */
static rocksdb_options_t *make_options(const struct annals_rocksdb_tuning *tuning) {
  const uint64_t memtable_bytes = annals_tuning_memory(tuning).memtable_bytes;
  rocksdb_options_t *options = rocksdb_options_create();
  rocksdb_options_set_create_if_missing(options, 1);
  rocksdb_options_set_create_missing_column_families(options, 1);
  /* 0: a torn last record is a crash, anything else damage. The default drops what follows a bad
   * record without a word, acknowledged or not. */
  rocksdb_options_set_wal_recovery_mode(options, 0);
  /* A family that is rarely written must not keep the whole log: it bounds recovery. More than the
   * memtables, or it is the log that has them flushed. */
  rocksdb_options_set_max_total_wal_size(options, memtable_bytes * 3 / 2);
  rocksdb_options_set_db_write_buffer_size(options, memtable_bytes);
  /* The default fits in the usual limit of 1,024 descriptors, with sockets beside, and is enough
   * for 30 GB in files of 64 MiB. To open one more takes 90 KB and some milliseconds. */
  rocksdb_options_set_max_open_files(
      options, tuning->open_files > 0 ? tuning->open_files : OPEN_FILES_DEFAULT);
  set_background(tuning, options);
  /* One thread writes: no groups of writers, no memtable shared by them, no spinning to meet. */
  rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
  rocksdb_options_set_enable_write_thread_adaptive_yield(options, 0);
  /* RocksDB's own log tells how it was opened, and nothing more: the second line that does not get
   * to a full disk ends the process, as Debian builds it with assertions. */
  rocksdb_options_set_info_log_level(options, LOG_FATAL);
  rocksdb_options_set_max_log_file_size(options, 8 * MIB);
  rocksdb_options_set_keep_log_file_num(options, 4);
  rocksdb_options_set_stats_dump_period_sec(options, 0);
  rocksdb_options_set_stats_persist_period_sec(options, 0);
  return options;
}

/* ---- the families -------------------------------------------------------------------------- */

static rocksdb_block_based_table_options_t *table_options(
    const struct annals_rocksdb_tuning *tuning, rocksdb_cache_t *cache) {
  rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
  rocksdb_block_based_options_set_block_cache(table, cache);
  /* Memory is what the cache says, whatever the size of the data. */
  rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
  rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
  /* In parts: the index of a full file, whole, has megabytes, which a cold read would wait for and
   * a small cache would not keep. */
  rocksdb_block_based_options_set_index_type(
      table, rocksdb_block_based_table_index_type_two_level_index_search);
  rocksdb_block_based_options_set_partition_filters(table, 1);
  rocksdb_block_based_options_set_metadata_block_size(table, INDEX_PART_BYTES);
  rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
  /* A sealed run of 100 small events is of the default's order: one block, one read. Measured on
   * 286,000 events of 589 bytes, nine in a run, with zstd: what one takes on the disk, and the CPU
   * of a page from a block that has to be unpacked. 4 KiB 351 bytes, 32 us; 8 KiB 337, 40; 16 KiB
   * 322, 47; 32 KiB 301, 65; 64 KiB 275, 100. Out of the cache all take the same 5 us. */
  rocksdb_block_based_options_set_block_size(
      table, tuning->block_bytes > 0 ? tuning->block_bytes : BLOCK_BYTES_DEFAULT);
  rocksdb_block_based_options_set_format_version(table, 5);
  return table;
}

static void set_compression(const struct annals_rocksdb_tuning *tuning,
                            rocksdb_options_t *options) {
  const bool none = tuning->compression == ANNALS_ROCKSDB_UNCOMPRESSED;
  const bool dense = tuning->compression == ANNALS_ROCKSDB_ZSTD;
  const int cheap = none ? rocksdb_no_compression : rocksdb_lz4_compression;
  /* Cheap where data is young and written several times; dense where most of it rests. Measured on
   * the same events: the CPU of writing one, what it takes on the disk, and the CPU of a page that
   * has to be unpacked. None 0.4 us, 583 bytes, 13 us; LZ4 1.6, 492, 23; zstd 1 3.7, 334, 47; zstd
   * 3, which is RocksDB's own choice, 5.1, 322, 47; zstd 6 9.9, 315, 48. A dictionary of 16 KiB,
   * trained on 1.6 MB, would make it 8.1, 253 and 61; but these are the words of a
   * small vocabulary, and what it gains of real payloads is not known. */
  rocksdb_options_set_compression(options, cheap);
  rocksdb_options_set_bottommost_compression(options, dense ? rocksdb_zstd_compression : cheap);
  rocksdb_options_set_blob_compression_type(options, cheap);
}

/* Takes the table options. */
static void set_tables(const struct annals_rocksdb_tuning *tuning, rocksdb_options_t *options,
                       rocksdb_block_based_table_options_t *table) {
  rocksdb_options_set_block_based_table_factory(options, table);
  rocksdb_block_based_options_destroy(table);
  /* Levels sized from the last one up: less space for what is never overwritten. */
  rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
  set_compression(tuning, options);
}

/*
 * What is deleted whole leaves tombstones side by side, as neither appends nor records do: between
 * those of two histories' open runs stands a sealed one. Files with so many in a row are compacted
 * without waiting for their level to be full, or the room would not come back where little else is
 * written.
 */
static void compact_deletions(rocksdb_options_t *options) {
  rocksdb_options_add_compact_on_deletion_collector_factory(options, TOMBSTONES, TOMBSTONES);
}

static void set_memtables(rocksdb_options_t *options, uint64_t bytes) {
  rocksdb_options_set_write_buffer_size(options, bytes / MEMTABLES);
  rocksdb_options_set_max_write_buffer_number(options, MEMTABLES);
}

static rocksdb_options_t *default_options(const struct annals_rocksdb_tuning *tuning,
                                          rocksdb_cache_t *cache) {
  rocksdb_options_t *options = make_options(tuning);
  set_tables(tuning, options, table_options(tuning, cache));
  return options;
}

/* ---- histories by ARN ---------------------------------------------------------------------- */

/* What a key of a history begins with: its ARN and NUL. */
static char *arn_of_key(void *state, const char *key, size_t size, size_t *ret_size) {
  (void)state;
  const char *end = memchr(key, '\0', size);
  *ret_size = end == NULL ? size : (size_t)(end - key) + 1;
  return (char *)(uintptr_t)key;
}

static unsigned char has_arn(void *state, const char *key, size_t size) {
  (void)state;
  return memchr(key, '\0', size) != NULL;
}

static const char *arn_name(void *state) {
  (void)state;
  return "annals.ArnOfKey";
}

static void free_nothing(void *state) {
  (void)state;
}

/*
 * A filter of the ARNs in each file, so that a seek passes over the levels that have nothing of its
 * history: most are in one of them. Of 20 million events in four levels, a page that is not
 * in the cache takes 1.36 blocks and 240 us of CPU with it, and 1.67 and 280 without; one that is,
 * 72 us and 74. It must not be in parts: this RocksDB's then miss keys when an iterator steps back.
 * Iterators that go from one history to the next have to say so (total_order_seek).
 */
static void set_arn_filter(rocksdb_options_t *options, rocksdb_block_based_table_options_t *table) {
  rocksdb_options_set_prefix_extractor(
      options,
      rocksdb_slicetransform_create(NULL, free_nothing, arn_of_key, has_arn, has_arn, arn_name));
  rocksdb_block_based_options_set_filter_policy(
      table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY));
  rocksdb_block_based_options_set_whole_key_filtering(table, 0);
  rocksdb_block_based_options_set_partition_filters(table, 0);
}

static rocksdb_options_t *history_options(const struct annals_rocksdb_tuning *tuning,
                                          rocksdb_cache_t *cache) {
  rocksdb_options_t *options = make_options(tuning);
  rocksdb_block_based_table_options_t *table = table_options(tuning, cache);
  set_arn_filter(options, table);
  set_tables(tuning, options, table);
  /* Most of the memory: most open runs are put and dropped in one memtable, and never reach a
   * file. */
  set_memtables(options, annals_tuning_memory(tuning).memtable_bytes / 10 * 8);
  compact_deletions(options);
  /* No blobs unless asked for: of 1.3 GB of events, 5 % of them with 32 to 256 KiB, 2.57 bytes were
   * written for each byte with those in blobs, and 2.56 without; they took 1,031 MB instead of 642.
   * Most of what is written is the log. */
  if (tuning->blob_bytes > 0) {
    rocksdb_options_set_enable_blob_files(options, 1);
    rocksdb_options_set_min_blob_size(options, tuning->blob_bytes);
    rocksdb_options_set_enable_blob_gc(options, 1);
    rocksdb_options_set_blob_cache(options, cache);
  }
  return options;
}

static rocksdb_options_t *executions_options(const struct annals_rocksdb_tuning *tuning,
                                             rocksdb_cache_t *cache) {
  rocksdb_options_t *options = make_options(tuning);
  rocksdb_block_based_table_options_t *table = table_options(tuning, cache);
  /* Records are got by whole key, often of executions that are not there. */
  rocksdb_block_based_options_set_filter_policy(
      table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY));
  rocksdb_block_based_options_set_whole_key_filtering(table, 1);
  set_tables(tuning, options, table);
  set_memtables(options, annals_tuning_memory(tuning).memtable_bytes / 10);
  compact_deletions(options);
  return options;
}

/*
 * Executions leave the lists of running ones in numbers, and a listing steps over what they leave
 * until it is compacted: with a short list, over all of it. What bounds that is a small memtable,
 * and SingleDelete, which goes with its put at the first flush or compaction that sees both.
 * Measured, of a million executions that came and went 2,000 at a time: a listing of those that
 * run steps over 7,000 tombstones (4 ms of CPU); with Delete over 55,000 (21 ms). Memtables of 1
 * MiB or compactions triggered by deletions do not better it; one of 16 MiB doubles it. No filter:
 * nothing is looked up by key.
 */
static rocksdb_options_t *listings_options(const struct annals_rocksdb_tuning *tuning,
                                           rocksdb_cache_t *cache) {
  rocksdb_options_t *options = make_options(tuning);
  set_tables(tuning, options, table_options(tuning, cache));
  set_memtables(options, MIN(annals_tuning_memory(tuning).memtable_bytes / 10, 8 * MIB));
  return options;
}

/* Has the MANIFEST keep a checksum of every file: the blocks' own leave out the bytes between them.
 * The C API knows it by name alone. */
static rocksdb_options_t *with_file_checksums(rocksdb_options_t *base) {
  rocksdb_options_t *options = rocksdb_options_create();
  char *error = NULL;
  rocksdb_get_options_from_string(base, "file_checksum_gen_factory=FileChecksumGenCrc32cFactory",
                                  options, &error);
  g_assert(error == NULL);
  rocksdb_options_destroy(base);
  return options;
}

/* Each shard of the cache has its lock, and its share of the room: what is larger is never kept. A
 * run has up to 4 MiB. */
static rocksdb_cache_t *make_cache(uint64_t bytes) {
  int bits = 0;
  while (bits < SHARD_BITS_MAX && bytes >> (bits + 1) >= SHARD_BYTES_MIN) {
    bits++;
  }
  rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();
  rocksdb_lru_cache_options_set_capacity(options, bytes);
  rocksdb_lru_cache_options_set_num_shard_bits(options, bits);
  rocksdb_cache_t *cache = rocksdb_cache_create_lru_opts(options);
  rocksdb_lru_cache_options_destroy(options);
  return cache;
}

void annals_tuning_make_options(const struct annals_rocksdb_tuning *tuning,
                                rocksdb_options_t *ret_options[ANNALS_FAMILY_COUNT]) {
  rocksdb_cache_t *cache = make_cache(annals_tuning_memory(tuning).cache_bytes);
  ret_options[ANNALS_FAMILY_DEFAULT] = with_file_checksums(default_options(tuning, cache));
  ret_options[ANNALS_FAMILY_HISTORY] = history_options(tuning, cache);
  ret_options[ANNALS_FAMILY_EXECUTIONS] = executions_options(tuning, cache);
  ret_options[ANNALS_FAMILY_LISTINGS] = listings_options(tuning, cache);
  rocksdb_cache_destroy(cache);
}
