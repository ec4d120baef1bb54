/*
 * The baseline of reads from disk: threads that read the keys of executions with a bare iterator,
 * each execution once.
 *
 * Usage: store_read DB_DIR THREADS CACHE_MIB DIRECT <ARNS
 * ARNs are lines. CACHE_MIB is for blocks. DIRECT 1: past the system's page cache. Prints
 * `executions=N bytes=B seconds=S executions_per_second=R cpu_us=C`, the last for each execution.
 */
#include <glib.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARGUMENTS = 5, KEY_BYTES_MAX = 300 };

struct load {
  rocksdb_t *db;
  rocksdb_column_family_handle_t *history;
  GPtrArray *arns;
  gint next; /* atomic */
  gint64 bytes;
  pthread_mutex_t lock; /* of bytes */
};

/* Reads all keys that begin with ARN and NUL. Returns how many bytes they have. */
static gint64 read_execution(const struct load *load, const char *arn) {
  char upper[KEY_BYTES_MAX];
  size_t size = strlen(arn) + 1;
  g_assert(size < sizeof upper);
  memcpy(upper, arn, size);
  upper[size - 1] = '\1';
  rocksdb_readoptions_t *options = rocksdb_readoptions_create();
  rocksdb_readoptions_set_iterate_upper_bound(options, upper, size);
  rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(load->db, options, load->history);
  gint64 bytes = 0;
  for (rocksdb_iter_seek(iterator, arn, size); rocksdb_iter_valid(iterator);
       rocksdb_iter_next(iterator)) {
    size_t value_bytes;
    (void)rocksdb_iter_value(iterator, &value_bytes);
    bytes += (gint64)value_bytes;
  }
  rocksdb_iter_destroy(iterator);
  rocksdb_readoptions_destroy(options);
  return bytes;
}

static void *read_all(void *data) {
  struct load *load = data;
  gint64 bytes = 0;
  for (guint i; (i = (guint)g_atomic_int_add(&load->next, 1)) < load->arns->len;) {
    bytes += read_execution(load, load->arns->pdata[i]);
  }
  pthread_mutex_lock(&load->lock);
  load->bytes += bytes;
  pthread_mutex_unlock(&load->lock);
  return NULL;
}

static void set_cache(rocksdb_options_t *options, size_t bytes) {
  rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
  rocksdb_cache_t *cache = rocksdb_cache_create_lru(bytes);
  rocksdb_block_based_options_set_block_cache(table, cache);
  rocksdb_options_set_block_based_table_factory(options, table);
  rocksdb_cache_destroy(cache);
  rocksdb_block_based_options_destroy(table);
}

/* Opens all families, as RocksDB demands it, and keeps that of histories. */
static void open_db(struct load *load, const char *path, size_t cache_bytes, bool direct) {
  enum { FAMILIES_MAX = 16 };
  char *error = NULL;
  size_t count;
  rocksdb_options_t *options = rocksdb_options_create();
  rocksdb_options_set_use_direct_reads(options, direct);
  set_cache(options, cache_bytes);
  char **names = rocksdb_list_column_families(options, path, &count, &error);
  const rocksdb_options_t *all[FAMILIES_MAX];
  rocksdb_column_family_handle_t *handles[FAMILIES_MAX];
  g_assert(error == NULL && count <= FAMILIES_MAX);
  for (size_t i = 0; i < count; i++) {
    all[i] = options;
  }
  load->db = rocksdb_open_for_read_only_column_families(
      options, path, (int)count, (const char *const *)names, all, handles, 0, &error);
  if (error != NULL) {
    fprintf(stderr, "store_read: %s\n", error);
    exit(EXIT_FAILURE);
  }
  for (size_t i = 0; i < count; i++) {
    if (strcmp(names[i], "history") == 0) {
      load->history = handles[i];
    }
  }
}

static void read_arns(struct load *load) {
  char line[KEY_BYTES_MAX];
  load->arns = g_ptr_array_new();
  while (fgets(line, sizeof line, stdin) != NULL) {
    g_ptr_array_add(load->arns, g_strdup(g_strchomp(line)));
  }
}

/* Processor time of all threads so far. */
static double cpu_us(void) {
  struct timespec spent;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc != ARGUMENTS) {
    fprintf(stderr, "usage: store_read DB_DIR THREADS CACHE_MIB DIRECT <ARNS\n");
    return 2;
  }
  static struct load load; /* what it holds is held to the end */
  guint count = (guint)strtoul(argv[2], NULL, 10);
  pthread_mutex_init(&load.lock, NULL);
  open_db(&load, argv[1], strtoul(argv[3], NULL, 10) << 20, strcmp(argv[4], "1") == 0);
  read_arns(&load);
  double cpu_before_us = cpu_us();
  gint64 start_us = g_get_monotonic_time();
  pthread_t *threads = g_new(pthread_t, count);
  for (guint i = 0; i < count; i++) {
    int errnum = pthread_create(&threads[i], NULL, read_all, &load);
    g_assert(errnum == 0);
  }
  for (guint i = 0; i < count; i++) {
    pthread_join(threads[i], NULL);
  }
  double took = (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC;
  printf("executions=%u bytes=%" G_GINT64_FORMAT
         " seconds=%.3f executions_per_second=%.1f cpu_us=%.1f\n",
         load.arns->len, load.bytes, took, load.arns->len / took,
         (cpu_us() - cpu_before_us) / load.arns->len);
  return EXIT_SUCCESS;
}
