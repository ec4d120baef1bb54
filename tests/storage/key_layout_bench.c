/*
 * What the order of ids in a key is worth. Reads a page of 100 events from random places of
 * histories of 250, forward, with both layouts in one process, and prints the CPU time of each and
 * the ratio, the best of several rounds:
 *
 *   last id first   key.h: one iterator; Seek finds the run that holds an id, the marker ends the
 *                   sealed runs
 *   first id first  no marker; SeekForPrev finds the run, the tail is read with an iterator of its
 *                   own, because a step beyond the sealed runs walks over what was deleted
 *
 * Run it by hand: bazel run -c opt //tests/storage:key_layout_bench
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "storage/rocksdb/cursor.h"
#include "storage/rocksdb/key.h"

enum {
  EXECUTIONS = 2000,
  EVENT_BYTES = 300,
  RUN_EVENTS = 100,
  SEALED_ID = 200,
  LAST_ID = 250,
  PAGE_EVENTS = 100,
  PAGES = 10000,
  ROUNDS = 9,
};

struct layout {
  bool last_first;
  rocksdb_t *db;
  rocksdb_column_family_handle_t *family;
};

static void must(char *error) {
  if (error != NULL) {
    g_error("%s", error);
  }
}

static size_t put_arn(char *arn, size_t size, int execution) {
  return (size_t)g_snprintf(
      arn, size, "arn:aws:states:eu-central-1:123456789012:execution:orders:%08d", execution);
}

static size_t put_key(uint8_t *key, const struct layout *layout, const char *arn,
                      const struct annals_key *run) {
  struct annals_key swapped = *run;
  if (!layout->last_first) {
    swapped.first_id = run->last_id;
    swapped.last_id = run->first_id;
  }
  return annals_key_put_run(key, arn, strlen(arn), &swapped);
}

static void fill_execution(const struct layout *layout, rocksdb_writeoptions_t *options,
                           const char *arn) {
  static const char events[RUN_EVENTS * EVENT_BYTES];
  uint8_t key[200];
  char *error = NULL;
  size_t size;
  for (int64_t id = 1; id <= LAST_ID; id++) {
    struct annals_key run = {.kind = ANNALS_KEY_OPEN, .first_id = id, .last_id = id};
    size = put_key(key, layout, arn, &run);
    rocksdb_put_cf(layout->db, options, layout->family, (char *)key, size, events, EVENT_BYTES,
                   &error);
    must(error);
    if (id % RUN_EVENTS != 0 || id > SEALED_ID) {
      continue;
    }
    for (int64_t old = id - RUN_EVENTS + 1; old <= id; old++) {
      run = (struct annals_key){.kind = ANNALS_KEY_OPEN, .first_id = old, .last_id = old};
      size = put_key(key, layout, arn, &run);
      rocksdb_singledelete_cf(layout->db, options, layout->family, (char *)key, size, &error);
    }
    run = (struct annals_key){
        .kind = ANNALS_KEY_SEALED, .first_id = id - RUN_EVENTS + 1, .last_id = id};
    size = put_key(key, layout, arn, &run);
    rocksdb_put_cf(layout->db, options, layout->family, (char *)key, size, events, sizeof events,
                   &error);
    must(error);
  }
  if (layout->last_first) {
    size = annals_key_put_marker(key, arn, strlen(arn));
    rocksdb_put_cf(layout->db, options, layout->family, (char *)key, size, "", 0, &error);
  }
  must(error);
}

/* Returns the bytes read, so that nothing is left out. */
static size_t read_last_first(const struct layout *layout, const char *arn, int64_t id) {
  struct annals_cursor cursor;
  size_t bytes = 0;
  int64_t end_id = id + PAGE_EVENTS;
  annals_cursor_open(&cursor, layout->db, layout->family, arn, ANNALS_TIER_DISK);
  annals_cursor_seek(&cursor, ANNALS_KEY_SEALED, id);
  while (cursor.place == ANNALS_PLACE_SEALED && id < end_id) {
    bytes += cursor.run.frames_bytes;
    id = cursor.run.last_id + 1;
    annals_cursor_next(&cursor);
  }
  if (cursor.place == ANNALS_PLACE_MARKER && id < end_id) {
    annals_cursor_seek(&cursor, ANNALS_KEY_OPEN, id);
    while (cursor.place == ANNALS_PLACE_OPEN && id < end_id) {
      bytes += cursor.run.frames_bytes;
      id = cursor.run.last_id + 1;
      annals_cursor_next(&cursor);
    }
  }
  annals_cursor_close(&cursor);
  return bytes;
}

/* An iterator over the runs of one kind. */
struct kind_iterator {
  uint8_t lower[120];
  uint8_t upper[120];
  rocksdb_readoptions_t *options;
  rocksdb_iterator_t *iterator;
};

static void kind_open(struct kind_iterator *kind, const struct layout *layout, const char *arn,
                      enum annals_key_kind which) {
  size_t size = annals_key_put_prefix(kind->lower, arn, strlen(arn), which);
  annals_key_put_prefix(kind->upper, arn, strlen(arn), which);
  kind->upper[size - 1]++;
  kind->options = rocksdb_readoptions_create();
  rocksdb_readoptions_set_iterate_lower_bound(kind->options, (char *)kind->lower, size);
  rocksdb_readoptions_set_iterate_upper_bound(kind->options, (char *)kind->upper, size);
  kind->iterator = rocksdb_create_iterator_cf(layout->db, kind->options, layout->family);
}

static void kind_close(struct kind_iterator *kind) {
  rocksdb_iter_destroy(kind->iterator);
  rocksdb_readoptions_destroy(kind->options);
}

/* Adds up runs from where the iterator stands; returns the next id. */
static int64_t kind_read(struct kind_iterator *kind, int64_t id, int64_t end_id, size_t *bytes) {
  while (rocksdb_iter_valid(kind->iterator) && id < end_id) {
    size_t key_size;
    size_t value_size;
    const char *key = rocksdb_iter_key(kind->iterator, &key_size);
    uint64_t last_id;
    memcpy(&last_id, key + key_size - 8, 8);
    rocksdb_iter_value(kind->iterator, &value_size);
    *bytes += value_size;
    id = (int64_t)GUINT64_FROM_BE(last_id) + 1;
    rocksdb_iter_next(kind->iterator);
  }
  return id;
}

static size_t read_first_first(const struct layout *layout, const char *arn, int64_t id) {
  struct kind_iterator kind;
  size_t bytes = 0;
  int64_t end_id = id + PAGE_EVENTS;
  uint8_t key[200];
  size_t size = annals_key_put_seek(key, arn, strlen(arn), ANNALS_KEY_SEALED, id + 1);
  kind_open(&kind, layout, arn, ANNALS_KEY_SEALED);
  rocksdb_iter_seek_for_prev(kind.iterator, (char *)key, size);
  uint64_t last_id = 0;
  if (rocksdb_iter_valid(kind.iterator)) {
    size_t key_size;
    const char *found = rocksdb_iter_key(kind.iterator, &key_size);
    memcpy(&last_id, found + key_size - 8, 8);
    last_id = GUINT64_FROM_BE(last_id);
  }
  if ((int64_t)last_id >= id) {
    id = kind_read(&kind, id, end_id, &bytes);
  }
  kind_close(&kind);
  if (id < end_id) {
    size = annals_key_put_seek(key, arn, strlen(arn), ANNALS_KEY_OPEN, id);
    kind_open(&kind, layout, arn, ANNALS_KEY_OPEN);
    rocksdb_iter_seek(kind.iterator, (char *)key, size);
    kind_read(&kind, id, end_id, &bytes);
    kind_close(&kind);
  }
  return bytes;
}

static double cpu_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Returns the CPU microseconds of a page that begins at random in ids 1 to id_max. */
static double measure(const struct layout *layout, int32_t id_max, size_t *bytes) {
  GRand *random = g_rand_new_with_seed(1);
  double start_us = cpu_us();
  for (int i = 0; i < PAGES; i++) {
    char arn[100];
    put_arn(arn, sizeof arn, g_rand_int_range(random, 0, EXECUTIONS));
    int64_t id = g_rand_int_range(random, 1, id_max + 1);
    *bytes +=
        layout->last_first ? read_last_first(layout, arn, id) : read_first_first(layout, arn, id);
  }
  g_rand_free(random);
  return (cpu_us() - start_us) / PAGES;
}

static void open_layout(struct layout *layout, const char *dir) {
  g_autofree char *path = g_build_filename(dir, layout->last_first ? "last" : "first", NULL);
  const char *names[] = {"default"};
  rocksdb_options_t *options = rocksdb_options_create();
  const rocksdb_options_t *family_options[] = {options};
  rocksdb_options_set_create_if_missing(options, 1);
  rocksdb_options_set_write_buffer_size(options, 1 << 30);
  rocksdb_cache_t *cache = rocksdb_cache_create_lru(1 << 30);
  rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
  rocksdb_block_based_options_set_block_cache(table, cache);
  rocksdb_options_set_block_based_table_factory(options, table);
  char *error = NULL;
  layout->db = rocksdb_open_column_families(options, path, 1, names, family_options,
                                            &layout->family, &error);
  must(error);
  rocksdb_writeoptions_t *write_options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_disable_WAL(write_options, 1);
  for (int i = 0; i < EXECUTIONS; i++) {
    char arn[100];
    put_arn(arn, sizeof arn, i);
    fill_execution(layout, write_options, arn);
  }
  rocksdb_writeoptions_destroy(write_options);
  rocksdb_block_based_options_destroy(table);
  rocksdb_cache_destroy(cache);
  rocksdb_options_destroy(options);
}

static void compare(struct layout *layouts, const char *where, int32_t id_max) {
  double us[2] = {1e9, 1e9};
  size_t bytes[2];
  for (int round = 0; round < ROUNDS; round++) { /* the first warms the cache */
    for (int i = 0; i < 2; i++) {
      bytes[i] = 0;
      us[i] = MIN(us[i], measure(&layouts[i], id_max, &bytes[i]));
    }
  }
  g_assert(bytes[0] == bytes[1]);
  printf("%-8s from 1..%-3d  last id first %6.2f us  first id first %6.2f us  ratio %.2f\n", where,
         id_max, us[0], us[1], us[0] / us[1]);
}

int main(void) {
  g_autofree char *dir = g_dir_make_tmp("key_layout.XXXXXX", NULL);
  struct layout layouts[] = {{.last_first = true}, {.last_first = false}};
  for (int i = 0; i < 2; i++) {
    open_layout(&layouts[i], dir);
  }
  for (int flushed = 0; flushed < 2; flushed++) {
    const char *where = flushed ? "file" : "memtable";
    compare(layouts, where, 1);
    compare(layouts, where, SEALED_ID);
    compare(layouts, where, LAST_ID);
    for (int i = 0; i < 2; i++) {
      rocksdb_compact_range_cf(layouts[i].db, layouts[i].family, NULL, 0, NULL, 0);
    }
  }
  printf("data left in %s\n", dir);
  for (int i = 0; i < 2; i++) {
    rocksdb_column_family_handle_destroy(layouts[i].family);
    rocksdb_close(layouts[i].db);
  }
  return 0;
}
