/*
 * Fills a data directory with executions of one state machine, by the domain itself: for
 * measurements of what depends on their number and size.
 *
 * Usage: execution_load DATA_DIR COUNT [EVENTS[/BIG] [FIRST [ANNALSD-OPTION…]]]
 * The server must not be running. Executions are named by their number, from FIRST (0) on, and
 * start a second apart.
 * Each has about EVENTS events (half of that to half as much again), and all but one in a hundred
 * have ended; with 1, the default, they have just begun. Every other one is written event by event,
 * as engines do that wait for each step, the rest four at a time; 4,096 are under way at once. Of
 * the payloads 80 % have 150 bytes, 18 % 1 KiB, 1.9 % 8 KiB and 0.1 % 64 KiB, of words that
 * compress as JSON does; with BIG, so many of a thousand have 32 to 256 KiB. The same arguments
 * give the same events.
 */
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/canonical.h"
#include "proto/wire.h"
#include "server/history/append.h"
#include "server/options.h"
#include "server/resources.h"
#include "storage/rocksdb/rocksdb_store.h"

/* Field numbers of annals.v1.HistoryEvent and of its details, and values of HistoryEventType. */
enum { TYPE = 2, ID = 3, PREVIOUS_ID = 4, ENTERED = 5, EXITED = 6, STARTED = 31, SUCCEEDED = 32 };
enum { STATE_NAME = 1, STATE_PAYLOAD = 2, EXECUTION_PAYLOAD = 1 };
enum {
  TYPE_STARTED = 11,
  TYPE_SUCCEEDED = 12,
  TYPE_TASK_ENTERED = 47,
  TYPE_TASK_EXITED = 48,
};
enum {
  IN_FLIGHT = 4096,
  EVENTS_AT_ONCE = 4,
  BIG_BYTES_MIN = 32 << 10,
  BIG_BYTES_MAX = (256 << 10) - 16, /* and what stands around it */
  EVENT_BYTES_MAX = 264 << 10,
  KEPT_BYTES_MAX = 4 << 10,
  POOL_BYTES = 4 << 20,
  RUNNING_IN = 100, /* one of so many has not ended */
};

static const char arn_prefix[] = "arn:aws:states:us-east-1:123456789012:execution:bench:";
static const int64_t first_start_s = 1700000000;

/* An execution under way, and its next append. */
struct slot {
  struct annals_append append;
  char arn[128];
  int64_t number;
  int64_t event_count; /* that it is to have */
  int64_t done_count;
  struct annals_buffer events[EVENTS_AT_ONCE];
  struct annals_event_bytes views[EVENTS_AT_ONCE];
  GRand *dice;
  struct slot *next;
};

struct load {
  struct annals_history *history;
  int64_t events; /* that an execution has in the mean */
  int big;        /* so many of a thousand payloads are */
  char *pool;     /* text that payloads are cut from */
  int64_t event_count;
  int64_t event_bytes;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct slot *idle; /* under lock */
  unsigned idle_count;
};

/* --- events --- */

static char *make_pool(void) {
  GRand *dice = g_rand_new_with_seed(1);
  GString *pool = g_string_sized_new(POOL_BYTES);
  char words[2000][12];
  for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
    int length = g_rand_int_range(dice, 3, 11);
    for (int n = 0; n < length; n++) {
      words[i][n] = (char)g_rand_int_range(dice, 'a', 'z' + 1);
    }
    words[i][length] = '\0';
  }
  while (pool->len < POOL_BYTES) {
    g_string_append_printf(pool, "%s %s=%d, ", words[g_rand_int_range(dice, 0, 2000)],
                           words[g_rand_int_range(dice, 0, 2000)],
                           g_rand_int_range(dice, 0, 100000));
  }
  g_rand_free(dice);
  return g_string_free(pool, FALSE);
}

static int roll_payload_bytes(const struct load *load, GRand *dice) {
  static const struct {
    int up_to; /* of a thousand */
    int bytes;
  } sizes[] = {{800, 150}, {980, 1 << 10}, {999, 8 << 10}, {1000, 64 << 10}};
  if (load->big > 0 && g_rand_int_range(dice, 0, 1000) < load->big) {
    return g_rand_int_range(dice, BIG_BYTES_MIN, BIG_BYTES_MAX);
  }
  size_t kind = 0;
  for (int d = g_rand_int_range(dice, 0, 1000); d >= sizes[kind].up_to;) {
    kind++;
  }
  return sizes[kind].bytes;
}

static void append_payload(const struct load *load, GRand *dice, struct annals_buffer *out,
                           uint32_t field) {
  size_t bytes = (size_t)roll_payload_bytes(load, dice);
  int offset = g_rand_int_range(dice, 0, POOL_BYTES - (gint32)bytes);
  static const char before[] = "{\"text\":\"", after[] = "\"}";
  annals_wire_append_header(out, field, strlen(before) + bytes + strlen(after));
  annals_buffer_append_text(out, before);
  annals_buffer_append(out, load->pool + offset, bytes);
  annals_buffer_append_text(out, after);
}

static void make_event(const struct load *load, struct slot *slot, int64_t id,
                       struct annals_buffer *out) {
  static const struct {
    uint64_t type;
    uint32_t details;
  } kinds[] = {{TYPE_STARTED, STARTED},
               {TYPE_TASK_ENTERED, ENTERED},
               {TYPE_TASK_EXITED, EXITED},
               {TYPE_SUCCEEDED, SUCCEEDED}};
  bool ends = id > 1 && id == slot->event_count && slot->number % RUNNING_IN != 0;
  size_t kind = id == 1 ? 0 : ends ? 3 : 1 + (size_t)id % 2;
  if (out->cap > KEPT_BYTES_MAX) { /* or each would have room for the largest before long */
    annals_buffer_clear(out);
    annals_buffer_init(out, EVENT_BYTES_MAX);
  }
  annals_buffer_reset(out);
  annals_canonical_append_timestamp(out, first_start_s + slot->number + id / 10,
                                    (int32_t)(id % 10) * 100000000);
  annals_wire_append_varint(out, TYPE, kinds[kind].type);
  annals_wire_append_varint(out, ID, (uint64_t)id);
  if (id > 1) {
    annals_wire_append_varint(out, PREVIOUS_ID, (uint64_t)id - 1);
  }
  if (slot->event_count == 1) {
    return;
  }
  size_t start = out->len;
  if (kind == 1 || kind == 2) {
    annals_wire_append_bytes(out, STATE_NAME, "Task", strlen("Task"));
    append_payload(load, slot->dice, out, STATE_PAYLOAD);
  } else {
    append_payload(load, slot->dice, out, EXECUTION_PAYLOAD);
  }
  annals_wire_wrap(out, start, kinds[kind].details);
}

/* --- appends --- */

static void put_back(struct load *load, struct slot *slot) {
  if (slot->append.error != NULL) {
    fprintf(stderr, "execution_load: %s: %s\n", slot->arn, slot->append.error->message);
    exit(EXIT_FAILURE);
  }
  pthread_mutex_lock(&load->lock);
  slot->next = load->idle;
  load->idle = slot;
  load->idle_count++;
  pthread_cond_signal(&load->changed);
  pthread_mutex_unlock(&load->lock);
}

static void on_done(struct annals_append *append) {
  put_back(append->owner, (struct slot *)append);
}

static struct slot *take(struct load *load) {
  pthread_mutex_lock(&load->lock);
  while (load->idle == NULL) {
    pthread_cond_wait(&load->changed, &load->lock);
  }
  struct slot *slot = load->idle;
  load->idle = slot->next;
  load->idle_count--;
  pthread_mutex_unlock(&load->lock);
  return slot;
}

static void append_next(struct load *load, struct slot *slot) {
  annals_append_clear(&slot->append);
  size_t count = 0;
  size_t count_max = slot->number % 2 == 0 ? 1 : EVENTS_AT_ONCE;
  while (count < count_max && slot->done_count < slot->event_count) {
    make_event(load, slot, ++slot->done_count, &slot->events[count]);
    load->event_count++;
    load->event_bytes += (int64_t)slot->events[count].len;
    slot->views[count] =
        (struct annals_event_bytes){slot->events[count].data, slot->events[count].len};
    count++;
  }
  slot->append = (struct annals_append){
      .request = {.execution_arn = slot->arn,
                  .events = slot->views,
                  .event_count = count,
                  .state_machine_arn = "",
                  .map_run_arn = "",
                  .trace_header = ""},
      .on_done = on_done,
      .owner = load,
  };
  if (annals_append_run(load->history, &slot->append) == ANNALS_DONE) {
    put_back(load, slot);
  }
}

static void begin(const struct load *load, struct slot *slot, int64_t number) {
  slot->number = number;
  g_rand_set_seed(slot->dice, (guint32)number);
  slot->done_count = 0;
  slot->event_count = load->events / 2 + g_rand_int_range(slot->dice, 0, (gint32)load->events + 1);
  if (load->events == 1) {
    slot->event_count = 1;
  }
  g_snprintf(slot->arn, sizeof slot->arn, "%s%" G_GINT64_FORMAT, arn_prefix, number);
}

static struct slot *make_slots(struct load *load) {
  struct slot *slots = g_new0(struct slot, IN_FLIGHT);
  for (size_t i = 0; i < IN_FLIGHT; i++) {
    for (size_t n = 0; n < EVENTS_AT_ONCE; n++) {
      annals_buffer_init(&slots[i].events[n], EVENT_BYTES_MAX);
    }
    slots[i].dice = g_rand_new_with_seed(0);
    put_back(load, &slots[i]);
  }
  return slots;
}

static void free_slots(struct slot *slots) {
  for (size_t i = 0; i < IN_FLIGHT; i++) {
    annals_append_clear(&slots[i].append);
    for (size_t n = 0; n < EVENTS_AT_ONCE; n++) {
      annals_buffer_clear(&slots[i].events[n]);
    }
    g_rand_free(slots[i].dice);
  }
  g_free(slots);
}

static void fill(struct load *load, int64_t first, int64_t count) {
  struct slot *slots = make_slots(load);
  int64_t number = first;
  for (int finished = 0; finished < IN_FLIGHT;) {
    struct slot *slot = take(load);
    if (slot->done_count == slot->event_count && number == first + count) {
      finished++;
      continue;
    }
    if (slot->done_count == slot->event_count) {
      begin(load, slot, number++);
    }
    append_next(load, slot);
  }
  free_slots(slots);
}

/* --- the store --- */

/* Opens the store as annalsd would with these options. */
static struct annals_store *open_store(const char *data_dir, int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename(data_dir, "rocksdb", NULL);
  struct annals_options options = {0};
  struct annals_resources resources;
  struct annals_store *store = NULL;
  bool ok = annals_options_read(argc, argv, &options, &error) &&
            annals_resources_read(&options, &resources, &error);
  if (ok && g_mkdir_with_parents(data_dir, 0700) == 0) {
    const struct annals_rocksdb_options rocksdb = {.path = path, .tuning = resources.store};
    ok = annals_rocksdb_open(&rocksdb, &store, &error);
  }
  annals_options_clear(&options);
  if (store == NULL) {
    fprintf(stderr, "execution_load: %s: %s\n", data_dir,
            error != NULL ? error->message : "cannot be made");
  }
  return store;
}

/* What this process has had written to disks. 0: the system does not tell. */
static int64_t written_bytes(void) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents("/proc/self/io", &text, NULL, NULL)) {
    return 0;
  }
  const char *line = strstr(text, "\nwrite_bytes: ");
  return line == NULL ? 0 : strtoll(line + strlen("\nwrite_bytes: "), NULL, 10);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr,
            "usage: execution_load DATA_DIR COUNT [EVENTS[/BIG] [FIRST [ANNALSD-OPTION…]]]\n");
    return 2;
  }
  char *no_options[] = {argv[0], NULL};
  struct annals_store *store =
      open_store(argv[1], MAX(argc - 4, 1), argc > 4 ? argv + 4 : no_options);
  if (store == NULL) {
    return EXIT_FAILURE;
  }
  struct annals_schema *schema = annals_schema_new();
  const char *big = argc > 3 ? strchr(argv[3], '/') : NULL;
  const struct annals_history_options history = {.store = store, .schema = schema};
  struct load load = {
      .history = annals_history_new(&history),
      .events = argc > 3 ? strtoll(argv[3], NULL, 10) : 1,
      .big = big != NULL ? atoi(big + 1) : 0,
      .pool = make_pool(),
  };
  pthread_mutex_init(&load.lock, NULL);
  pthread_cond_init(&load.changed, NULL);
  gint64 start_us = g_get_monotonic_time();
  fill(&load, argc > 4 ? strtoll(argv[4], NULL, 10) : 0, strtoll(argv[2], NULL, 10));
  annals_history_free(load.history);
  annals_schema_free(schema);
  store->ops->close(store);
  printf("events=%" G_GINT64_FORMAT " event_bytes=%" G_GINT64_FORMAT
         " written_bytes=%" G_GINT64_FORMAT " seconds=%.1f\n",
         load.event_count, load.event_bytes, written_bytes(),
         (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC);
  g_free(load.pool);
  return EXIT_SUCCESS;
}
