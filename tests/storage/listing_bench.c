/*
 * What a page of a listing costs, whatever there is and was:
 *
 *   size    a state machine with a thousand executions and one with a million, all of one status:
 *           the first page of 100 and of 1,000, from memory and from the disk
 *   churn   a million executions that came and went, with so many of them running at a time: the
 *           running ones are listed now and then, and at the end, when there are none
 *
 * Run it by hand, a minute and a GiB in /tmp or TMPDIR:
 *   bazel run -c opt //tests/storage:listing_bench
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storage/rocksdb/rocksdb_store.h"

enum {
  FEW = 1000,
  MANY = 1000000,
  GROUP = 2000, /* appends under way at a time */
  RECORD_BYTES = 300,
  EVENT_BYTES = 200,
  WARM_ROUNDS = 200,
  COLD_ROUNDS = 15,
  SAMPLES = 100,
};

static const char FRAME[EVENT_BYTES + 3] = {0x0a, (char)(EVENT_BYTES & 0x7f) | (char)0x80,
                                            EVENT_BYTES >> 7};
static char RECORDS[1 << 16]; /* bytes that do not compress, to take records from */

/* Waits for a group of appends. */
struct gate {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int pending;
};

/* An append with all that it points to. */
struct slot {
  struct annals_store_append append;
  struct annals_store_place old_place;
  struct annals_store_place new_place;
  char arn[100];
};

struct bench {
  struct annals_store *store;
  struct gate gate;
  struct slot slots[GROUP];
  int used;
  const char *machine;
  char running[100];
  char succeeded[100];
};

static double wall_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void on_append(struct annals_store_op *op) {
  struct gate *gate = op->owner;
  g_assert(op->outcome == ANNALS_STORE_OK);
  pthread_mutex_lock(&gate->lock);
  gate->pending--;
  pthread_cond_signal(&gate->changed);
  pthread_mutex_unlock(&gate->lock);
}

static void await(struct gate *gate) {
  pthread_mutex_lock(&gate->lock);
  while (gate->pending > 0) {
    pthread_cond_wait(&gate->changed, &gate->lock);
  }
  pthread_mutex_unlock(&gate->lock);
}

static void set_place(struct annals_store_place *place, const char *list, int execution) {
  place->list = list;
  /* The newest first. */
  uint32_t rank = GUINT32_TO_BE(~(uint32_t)execution);
  memset(place->rank, 0, sizeof place->rank);
  memcpy(place->rank, &rank, sizeof rank);
}

/* Starts an execution, or ends it. */
static void append(struct bench *bench, int execution, bool ends) {
  /* An execution ends in a later group than it began in: they may overtake each other. */
  if (bench->used == GROUP) {
    await(&bench->gate);
    bench->used = 0;
  }
  struct slot *slot = &bench->slots[bench->used++];
  g_snprintf(slot->arn, sizeof slot->arn,
             "arn:aws:states:eu-central-1:123456789012:execution:%s:%08d", bench->machine,
             execution);
  set_place(&slot->old_place, bench->running, execution);
  set_place(&slot->new_place, ends ? bench->succeeded : bench->running, execution);
  slot->append = (struct annals_store_append){
      .op = {.on_done = on_append, .owner = &bench->gate},
      .arn = slot->arn,
      .expected_last_id = ends,
      .frames = (const uint8_t *)FRAME,
      .frames_bytes = sizeof FRAME,
      .event_count = 1,
      .seal = ends,
      .record =
          (const uint8_t *)RECORDS + (size_t)execution * 7919 % (sizeof RECORDS - RECORD_BYTES),
      .record_bytes = RECORD_BYTES,
      .old_places = &slot->old_place,
      .old_place_count = ends,
      .new_places = &slot->new_place,
      .new_place_count = 1,
  };
  pthread_mutex_lock(&bench->gate.lock);
  bench->gate.pending++;
  pthread_mutex_unlock(&bench->gate.lock);
  if (bench->store->ops->append(bench->store, &slot->append) == ANNALS_STORE_DONE) {
    on_append(&slot->append.op);
  }
}

/* ---- listing ------------------------------------------------------------------------------- */

struct page {
  struct annals_store_list list;
  struct gate gate;
  int entries;
  int enough;
};

static bool on_entry(struct annals_store_list *list,
                     G_GNUC_UNUSED const struct annals_store_entry *entry) {
  struct page *page = (struct page *)list;
  return ++page->entries < page->enough;
}

/* Lists the first page; returns its microseconds. */
static double list_page(struct annals_store *store, const char *list, int enough,
                        int *ret_entries) {
  struct page page = {
      .list = {.lists = &list, .list_count = 1, .after_arn = "", .on_entry = on_entry},
      .enough = enough,
      .gate = {.pending = 1},
  };
  pthread_mutex_init(&page.gate.lock, NULL);
  pthread_cond_init(&page.gate.changed, NULL);
  page.list.op.on_done = on_append;
  page.list.op.owner = &page.gate;
  double start_us = wall_us();
  if (store->ops->list(store, &page.list) == ANNALS_STORE_PENDING) {
    await(&page.gate);
  }
  g_assert(page.list.op.outcome == ANNALS_STORE_OK);
  *ret_entries = page.entries;
  return wall_us() - start_us;
}

static int compare_us(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

static struct annals_store *open_store(const char *path) {
  GError *error = NULL;
  struct annals_store *store = NULL;
  if (!annals_rocksdb_open(&(struct annals_rocksdb_options){.path = path}, &store, &error)) {
    g_error("%s", error->message);
  }
  return store;
}

/* Takes the files of a closed store out of the page cache. */
static void make_cold(const char *path) {
  GDir *dir = g_dir_open(path, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name(dir)) != NULL) {
    g_autofree char *file = g_build_filename(path, name, NULL);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
  g_dir_close(dir);
}

/* Returns the median microseconds of a page, from a store that was just opened or a warm one. */
static double measure(const char *path, const char *list, int enough, bool cold) {
  int rounds = cold ? COLD_ROUNDS : WARM_ROUNDS;
  g_autofree double *us = g_new(double, (gsize)rounds);
  struct annals_store *store = open_store(path);
  int entries;
  list_page(store, list, enough, &entries);
  for (int i = 0; i < rounds; i++) {
    if (cold) {
      store->ops->close(store);
      make_cold(path);
      store = open_store(path);
    }
    us[i] = list_page(store, list, enough, &entries);
    g_assert(entries == enough);
  }
  store->ops->close(store);
  qsort(us, (size_t)rounds, sizeof us[0], compare_us);
  return us[rounds / 2];
}

static void bench_init(struct bench *bench, struct annals_store *store, const char *machine) {
  *bench = (struct bench){.store = store, .machine = machine};
  pthread_mutex_init(&bench->gate.lock, NULL);
  pthread_cond_init(&bench->gate.changed, NULL);
  g_snprintf(bench->running, sizeof bench->running,
             "arn:aws:states:eu-central-1:123456789012:stateMachine:%s Rn", machine);
  g_snprintf(bench->succeeded, sizeof bench->succeeded,
             "arn:aws:states:eu-central-1:123456789012:stateMachine:%s Sn", machine);
}

static void bench_size(const char *dir) {
  int counts[] = {FEW, MANY};
  const char *names[] = {"few", "many"};
  double us[2][2][2]; /* few or many, 100 or 1,000, warm or cold */
  for (int i = 0; i < 2; i++) {
    g_autofree char *path = g_build_filename(dir, names[i], NULL);
    g_autofree struct bench *bench = g_new(struct bench, 1);
    bench_init(bench, open_store(path), "orders");
    for (int execution = 0; execution < counts[i]; execution++) {
      append(bench, execution, false);
    }
    await(&bench->gate);
    bench->store->ops->close(bench->store);
    for (int j = 0; j < 4; j++) {
      us[i][j / 2][j % 2] = measure(path, bench->running, j / 2 ? 1000 : 100, j % 2);
    }
  }
  for (int j = 0; j < 4; j++) {
    double few = us[0][j / 2][j % 2];
    double many = us[1][j / 2][j % 2];
    printf("size   page of %4d %s  of %d: %8.1f us  of %d: %8.1f us  ratio %.2f\n",
           j / 2 ? 1000 : 100, j % 2 ? "cold" : "warm", FEW, few, MANY, many, many / few);
  }
}

static void bench_churn(const char *dir, int running) {
  g_autofree char *path = g_strdup_printf("%s/churn-%d", dir, running);
  g_autofree struct bench *bench = g_new(struct bench, 1);
  bench_init(bench, open_store(path), "orders");
  double us[SAMPLES];
  int entries;
  double start_us = wall_us();
  for (int i = 0; i < MANY + running; i++) {
    if (i < MANY) {
      append(bench, i, false);
    }
    if (i >= running) {
      append(bench, i - running, true);
    }
    if (i % (MANY / SAMPLES) == 0 && i < MANY) {
      await(&bench->gate);
      us[i / (MANY / SAMPLES)] = list_page(bench->store, bench->running, 1000, &entries);
    }
  }
  await(&bench->gate);
  double seconds = (wall_us() - start_us) / 1e6;
  double first_us = list_page(bench->store, bench->running, 1000, &entries);
  g_assert(entries == 0);
  double second_us = list_page(bench->store, bench->running, 1000, &entries);
  bench->store->ops->close(bench->store);
  bench->store = open_store(path);
  double reopened_us = list_page(bench->store, bench->running, 1000, &entries);
  bench->store->ops->close(bench->store);
  qsort(us, SAMPLES, sizeof us[0], compare_us);
  printf(
      "churn  %6d running (%2.0f s)  page of them: median %8.1f us  worst %8.1f us  when all have "
      "gone: %8.1f, again %8.1f, reopened %8.1f us\n",
      running, seconds, us[SAMPLES / 2], us[SAMPLES - 1], first_us, second_us, reopened_us);
}

int main(int argc, char **argv) {
  g_autofree char *dir = g_dir_make_tmp("listing.XXXXXX", NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (size_t i = 0; i < sizeof RECORDS; i++) {
    RECORDS[i] = (char)g_random_int();
  }
  if (argc < 2 || strcmp(argv[1], "size") == 0) {
    bench_size(dir);
  }
  if (argc < 2 || strcmp(argv[1], "churn") == 0) {
    bench_churn(dir, GROUP);
    bench_churn(dir, 10000);
    bench_churn(dir, 100000);
  }
  printf("data left in %s\n", dir);
  return 0;
}
