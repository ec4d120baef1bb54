/*
 * Load on an append stream of the C client: an event at a time to many executions in turns.
 *
 * Usage: append_load HOST:PORT ARN_PREFIX EXECUTIONS EVENTS IN_FLIGHT
 * Prints `appended N` whenever another hundred has been acknowledged, and at the end
 * `appends=N seconds=S appends_per_second=R already_stored=A`; fails if any append does.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/annals.h"

enum { ARGUMENTS = 6, SAY_EVERY = 100 };

struct load {
  struct annals_client_append_stream *stream;
  const char *arn_prefix;
  int64_t executions;
  int64_t acknowledged;
  int64_t already_stored;
};

static void fail(const char *what, const GError *error) {
  fprintf(stderr, "append_load: %s: %s %s: %s\n", what, annals_client_code_name(error->code),
          annals_client_error_reason(error), error->message);
  exit(EXIT_FAILURE);
}

/* Appends are numbered in the order of begin(): an event of each execution, then the next. */
static int64_t event_id_of(const struct load *load, int64_t number) {
  return (number - 1) / load->executions + 1;
}

static void begin(struct load *load, int64_t number) {
  Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  Annals__V1__HistoryEvent event = ANNALS__V1__HISTORY_EVENT__INIT;
  const Annals__V1__HistoryEvent *events[] = {&event};
  g_autofree char *arn =
      g_strdup_printf("%s%" G_GINT64_FORMAT, load->arn_prefix, (number - 1) % load->executions);
  GError *error = NULL;
  timestamp.seconds = 1700000000;
  event.timestamp = &timestamp;
  event.id = event_id_of(load, number);
  event.previous_event_id = event.id - 1;
  event.type = event.id == 1
                   ? ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_STARTED
                   : ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_PASS_STATE_ENTERED;
  const struct annals_client_append_request request = {
      .execution_arn = arn, .events = events, .event_count = 1};
  if (!annals_client_append_stream_append(load->stream, &request, NULL, &error)) {
    fail("append", error);
  }
}

static void take(struct load *load) {
  struct annals_client_append_outcome outcome;
  GError *error = NULL;
  if (!annals_client_append_stream_next(load->stream, -1, &outcome, &error)) {
    fail("next", error);
  }
  if (outcome.error != NULL) {
    fail("an append was refused", outcome.error);
  }
  load->acknowledged++;
  load->already_stored += outcome.result.already_stored_count;
  if (outcome.number != load->acknowledged ||
      outcome.result.appended_count + outcome.result.already_stored_count != 1 ||
      outcome.result.last_event_id < event_id_of(load, outcome.number)) {
    fprintf(stderr, "append_load: a wrong outcome of append %" G_GINT64_FORMAT "\n",
            outcome.number);
    exit(EXIT_FAILURE);
  }
  if (load->acknowledged % SAY_EVERY == 0) {
    printf("appended %" G_GINT64_FORMAT "\n", load->acknowledged);
    fflush(stdout);
  }
}

static void run(struct load *load, int64_t appends) {
  GError *error = NULL;
  for (int64_t number = 1; number <= appends; number++) {
    while (!annals_client_append_stream_has_room(load->stream)) {
      take(load);
    }
    begin(load, number);
  }
  while (load->acknowledged < appends) {
    take(load);
  }
  if (!annals_client_append_stream_close(load->stream, -1, &error)) {
    fail("close", error);
  }
}

int main(int argc, char **argv) {
  if (argc != ARGUMENTS) {
    fprintf(stderr, "usage: append_load HOST:PORT ARN_PREFIX EXECUTIONS EVENTS IN_FLIGHT\n");
    return 2;
  }
  GError *error = NULL;
  const struct annals_client_options options = {.endpoint = argv[1]};
  struct annals_client *client = annals_client_open(&options, &error);
  if (client == NULL) {
    fail("open", error);
  }
  const struct annals_client_append_stream_options limits = {
      .in_flight_max = (size_t)g_ascii_strtoull(argv[5], NULL, 10)};
  struct load load = {
      .stream = annals_client_append_stream_new(client, &limits),
      .arn_prefix = argv[2],
      .executions = g_ascii_strtoll(argv[3], NULL, 10),
  };
  gint64 start_us = g_get_monotonic_time();
  run(&load, load.executions * g_ascii_strtoll(argv[4], NULL, 10));
  double took = (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC;
  printf("appends=%" G_GINT64_FORMAT
         " seconds=%.3f appends_per_second=%.0f already_stored=%" G_GINT64_FORMAT "\n",
         load.acknowledged, took, (double)load.acknowledged / took, load.already_stored);
  annals_client_append_stream_free(load.stream);
  annals_client_close(client);
  return EXIT_SUCCESS;
}
