/*
 * Fills a data directory with executions of one state machine, each of one event, by the domain
 * itself: for measurements of what depends on their number.
 *
 * Usage: execution_load DATA_DIR COUNT
 * The server must not be running. Executions are named by their number, and start a second apart.
 */
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/canonical.h"
#include "proto/wire.h"
#include "server/history/append.h"
#include "storage/rocksdb/rocksdb_store.h"

/* Field numbers and types of annals.v1.HistoryEvent. */
enum { TYPE = 2, ID = 3, EXECUTION_STARTED = 11 };
enum { IN_FLIGHT = 512, EVENT_BYTES_MAX = 64 };

static const char arn_prefix[] = "arn:aws:states:us-east-1:123456789012:execution:bench:";
static const int64_t first_start_s = 1700000000;

/* An append under way; done ones stand in a list. */
struct slot {
  struct annals_append append;
  char arn[128];
  struct annals_buffer event;
  struct annals_event_bytes view;
  struct slot *next;
};

struct load {
  struct annals_history *history;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct slot *idle; /* under lock */
  unsigned idle_count;
};

static void put_back(struct load *load, struct slot *slot) {
  if (slot->append.error != NULL) {
    fprintf(stderr, "execution_load: %s\n", slot->append.error->message);
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

static void append(struct load *load, struct slot *slot, int64_t number) {
  annals_append_clear(&slot->append);
  annals_buffer_reset(&slot->event);
  annals_canonical_append_timestamp(&slot->event, first_start_s + number, 0);
  annals_wire_append_varint(&slot->event, TYPE, EXECUTION_STARTED);
  annals_wire_append_varint(&slot->event, ID, 1);
  g_snprintf(slot->arn, sizeof slot->arn, "%s%" G_GINT64_FORMAT, arn_prefix, number);
  slot->view = (struct annals_event_bytes){slot->event.data, slot->event.len};
  slot->append = (struct annals_append){
      .request = {.execution_arn = slot->arn,
                  .events = &slot->view,
                  .event_count = 1,
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

static void fill(struct load *load, int64_t count) {
  struct slot *slots = g_new0(struct slot, IN_FLIGHT);
  for (size_t i = 0; i < IN_FLIGHT; i++) {
    annals_buffer_init(&slots[i].event, EVENT_BYTES_MAX);
    put_back(load, &slots[i]);
  }
  for (int64_t number = 0; number < count; number++) {
    append(load, take(load), number);
  }
  pthread_mutex_lock(&load->lock);
  while (load->idle_count < IN_FLIGHT) {
    pthread_cond_wait(&load->changed, &load->lock);
  }
  pthread_mutex_unlock(&load->lock);
  for (size_t i = 0; i < IN_FLIGHT; i++) {
    annals_append_clear(&slots[i].append);
    annals_buffer_clear(&slots[i].event);
  }
  g_free(slots);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: execution_load DATA_DIR COUNT\n");
    return 2;
  }
  g_autofree char *path = g_build_filename(argv[1], "rocksdb", NULL);
  const struct annals_rocksdb_options options = {.path = path};
  struct annals_store *store;
  g_autoptr(GError) error = NULL;
  if (g_mkdir_with_parents(argv[1], 0700) != 0 || !annals_rocksdb_open(&options, &store, &error)) {
    fprintf(stderr, "execution_load: %s: %s\n", argv[1],
            error != NULL ? error->message : "cannot be made");
    return EXIT_FAILURE;
  }
  struct annals_schema *schema = annals_schema_new();
  const struct annals_history_options history = {.store = store, .schema = schema};
  struct load load = {.history = annals_history_new(&history)};
  pthread_mutex_init(&load.lock, NULL);
  pthread_cond_init(&load.changed, NULL);
  fill(&load, strtoll(argv[2], NULL, 10));
  annals_history_free(load.history);
  annals_schema_free(schema);
  store->ops->close(store);
  return EXIT_SUCCESS;
}
