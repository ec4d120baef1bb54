/*
 * The baseline of appends: threads that write batches of events, a key each, to a RocksDB of its
 * defaults, with sync.
 *
 * Usage: store_write DIR THREADS EVENTS_AT_ONCE EVENT_BYTES SECONDS
 * Prints `batches=N events=E seconds=S events_per_second=F`.
 */
#include <glib.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS = 6, KEY_BYTES = 96, TEXT_BYTES = 1 << 20 };

struct load {
  rocksdb_t *db;
  int at_once;
  size_t event_bytes;
  gint64 until_us;
  char *text; /* that events are cut from */
};

struct writer {
  const struct load *load;
  pthread_t thread;
  int number;
  gint64 batches;
};

static void put_event(const struct writer *writer, rocksdb_writebatch_t *batch, gint64 id) {
  char key[KEY_BYTES];
  int size = g_snprintf(
      key, sizeof key,
      "arn:aws:states:us-east-1:123456789012:execution:bench:%d/%016" G_GINT64_MODIFIER "x",
      writer->number, id);
  size_t offset = (size_t)(id * 104729 + writer->number) % (TEXT_BYTES / 2);
  rocksdb_writebatch_put(batch, key, (size_t)size, writer->load->text + offset,
                         writer->load->event_bytes);
}

static void *write_all(void *data) {
  struct writer *writer = data;
  const struct load *load = writer->load;
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(options, 1);
  do {
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (int i = 0; i < load->at_once; i++) {
      put_event(writer, batch, writer->batches * load->at_once + i);
    }
    char *error = NULL;
    rocksdb_write(load->db, options, batch, &error);
    if (error != NULL) {
      fprintf(stderr, "store_write: %s\n", error);
      exit(EXIT_FAILURE);
    }
    rocksdb_writebatch_destroy(batch);
    writer->batches++;
  } while (g_get_monotonic_time() < load->until_us);
  rocksdb_writeoptions_destroy(options);
  return NULL;
}

static rocksdb_t *open_db(const char *path) {
  rocksdb_options_t *options = rocksdb_options_create();
  rocksdb_options_set_create_if_missing(options, 1);
  char *error = NULL;
  rocksdb_t *db = rocksdb_open(options, path, &error);
  rocksdb_options_destroy(options);
  if (error != NULL) {
    fprintf(stderr, "store_write: %s\n", error);
    exit(EXIT_FAILURE);
  }
  return db;
}

int main(int argc, char **argv) {
  if (argc != ARGUMENTS) {
    fprintf(stderr, "usage: store_write DIR THREADS EVENTS_AT_ONCE EVENT_BYTES SECONDS\n");
    return 2;
  }
  int count = atoi(argv[2]);
  gint64 start_us = g_get_monotonic_time();
  struct load load = {
      .db = open_db(argv[1]),
      .at_once = atoi(argv[3]),
      .event_bytes = MIN((size_t)strtoull(argv[4], NULL, 10), (size_t)TEXT_BYTES / 2),
      .until_us = start_us + (gint64)(g_ascii_strtod(argv[5], NULL) * G_USEC_PER_SEC),
      .text = g_malloc(TEXT_BYTES),
  };
  GRand *dice = g_rand_new_with_seed(1);
  for (size_t i = 0; i < TEXT_BYTES; i++) {
    load.text[i] = "etaoin shrdlu123"[g_rand_int_range(dice, 0, 16)];
  }
  g_rand_free(dice);
  struct writer *writers = g_new0(struct writer, (gsize)count);
  gint64 batches = 0;
  for (int i = 0; i < count; i++) {
    writers[i].load = &load;
    writers[i].number = i;
    int errnum = pthread_create(&writers[i].thread, NULL, write_all, &writers[i]);
    g_assert(errnum == 0);
  }
  for (int i = 0; i < count; i++) {
    pthread_join(writers[i].thread, NULL);
    batches += writers[i].batches;
  }
  double took = (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC;
  printf("batches=%" G_GINT64_FORMAT " events=%" G_GINT64_FORMAT
         " seconds=%.3f events_per_second=%.1f\n",
         batches, batches * load.at_once, took, (double)(batches * load.at_once) / took);
  rocksdb_close(load.db);
  g_free(writers);
  g_free(load.text);
  return EXIT_SUCCESS;
}
