/*
 * Appends over gRPC as engines do: clients that each append to an execution of its own and wait for
 * the answer. Fills histories, or measures how fast that goes.
 *
 * Usage: history_load HOST:PORT ARN_PREFIX CLIENTS EVENTS_AT_ONCE EVENT_BYTES EVENTS EXECUTIONS
 *                     SECONDS
 * Each execution gets EVENTS events (0: without end) of about EVENT_BYTES each, EVENTS_AT_ONCE by
 * an append, the last one ExecutionSucceeded; EVENTS below 0: so many, and it goes on running. Ends
 * after EXECUTIONS executions (0: without end) or SECONDS (0: never), but each client appends once.
 * Prints `appends=N events=E seconds=S appends_per_second=R events_per_second=F p50_us=L p99_us=L
 * p999_us=L`; fails if any append does.
 */
#include <glib.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buffer.h"
#include "proto/canonical.h"
#include "proto/wire.h"
#include "tests/bench/load.h"

enum {
  ARGUMENTS = 9,
  REQUEST_BYTES_MAX = 8 << 20,
  CLIENTS_PER_CHANNEL = 100,
  NAME_BYTES = 16,
  TEXT_BYTES = 1 << 20
};

/* Field numbers of AppendHistoryEventsRequest, of annals.v1.HistoryEvent and of its details, and
 * values of HistoryEventType. */
enum { ARN = 1, EVENT = 2 };
enum { TYPE = 2, ID = 3, PREVIOUS_ID = 4, ENTERED = 5, STARTED = 31, SUCCEEDED = 32 };
enum { STATE_NAME = 1, STATE_PAYLOAD = 2, EXECUTION_PAYLOAD = 1 };
enum { TYPE_STARTED = 11, TYPE_SUCCEEDED = 12, TYPE_PASS_ENTERED = 38 };

struct client {
  grpc_channel *channel;
  int64_t execution;
  int64_t last_id;
  gint64 begun_us;
  grpc_call *call;
  grpc_metadata_array initial;
  grpc_metadata_array trailing;
  grpc_byte_buffer *request;
  grpc_byte_buffer *reply;
  grpc_status_code status;
  grpc_slice details;
};

struct load {
  const char *arn_prefix;
  int64_t at_once;
  size_t text_bytes; /* of each payload */
  int64_t events;    /* of an execution; 0: without end */
  bool ends;
  int64_t executions; /* 0: without end */
  int64_t next_execution;
  gint64 until_us; /* INT64_MAX: for ever */
  char *text;      /* that payloads are cut from */
  grpc_completion_queue *queue;
  GArray *latencies_us; /* of guint32 */
  int64_t event_count;
  int64_t in_flight;
};

/* --- requests --- */

/* A text of a few thousand words, which compresses as such things do. */
static char *make_text(void) {
  static const char letters[] = "etaoinshrdlucmfw";
  char words[512][8];
  GRand *dice = g_rand_new_with_seed(1);
  GString *text = g_string_sized_new(TEXT_BYTES);
  for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
    for (size_t n = 0; n < sizeof words[i] - 1; n++) {
      words[i][n] = letters[g_rand_int_range(dice, 0, sizeof letters - 1)];
    }
    words[i][sizeof words[i] - 1] = '\0';
  }
  while (text->len < TEXT_BYTES) {
    g_string_append_printf(text, "%s %d ", words[g_rand_int_range(dice, 0, 512)],
                           g_rand_int_range(dice, 0, 10000));
  }
  g_rand_free(dice);
  return g_string_free(text, FALSE);
}

static void append_payload(const struct load *load, int64_t execution, int64_t id,
                           struct annals_buffer *out, uint32_t field) {
  static const char before[] = "{\"order\": 1234, \"note\": \"";
  static const char after[] = "\"}";
  size_t offset = (size_t)(execution * 7919 + id * 104729) % (TEXT_BYTES - load->text_bytes);
  annals_wire_append_header(out, field, strlen(before) + load->text_bytes + strlen(after));
  annals_buffer_append_text(out, before);
  annals_buffer_append(out, load->text + offset, load->text_bytes);
  annals_buffer_append_text(out, after);
}

static void append_event(const struct load *load, int64_t execution, int64_t id,
                         struct annals_buffer *out) {
  static const struct {
    uint64_t type;
    uint32_t details;
    uint32_t payload;
  } kinds[] = {{TYPE_STARTED, STARTED, EXECUTION_PAYLOAD},
               {TYPE_PASS_ENTERED, ENTERED, STATE_PAYLOAD},
               {TYPE_SUCCEEDED, SUCCEEDED, EXECUTION_PAYLOAD}};
  size_t kind = id == 1 ? 0 : load->ends && id == load->events ? 2 : 1;
  size_t start = out->len;
  annals_canonical_append_timestamp(out, 1700000000 + id / 8, (int32_t)(id % 8) * 125000000);
  annals_wire_append_varint(out, TYPE, kinds[kind].type);
  annals_wire_append_varint(out, ID, (uint64_t)id);
  if (id > 1) {
    annals_wire_append_varint(out, PREVIOUS_ID, (uint64_t)id - 1);
  }
  size_t details = out->len;
  if (kind == 1) {
    char name[NAME_BYTES];
    g_snprintf(name, sizeof name, "State%d", (int)(id % 7));
    annals_wire_append_bytes(out, STATE_NAME, name, strlen(name));
  }
  append_payload(load, execution, id, out, kinds[kind].payload);
  annals_wire_wrap(out, details, kinds[kind].details);
  annals_wire_wrap(out, start, EVENT);
}

static grpc_byte_buffer *next_request(struct load *load, struct client *client) {
  struct annals_buffer out;
  annals_buffer_init(&out, REQUEST_BYTES_MAX);
  g_autofree char *arn =
      g_strdup_printf("%s%" G_GINT64_FORMAT, load->arn_prefix, client->execution);
  annals_wire_append_bytes(&out, ARN, arn, strlen(arn));
  for (int64_t i = 0; i < load->at_once; i++) {
    append_event(load, client->execution, ++client->last_id, &out);
    load->event_count++;
    if (client->last_id == load->events) {
      break;
    }
  }
  g_assert(!out.failed);
  size_t size;
  uint8_t *bytes = annals_buffer_steal(&out, &size);
  grpc_slice slice = grpc_slice_new(bytes, size, g_free);
  grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  return request;
}

/* --- calls --- */

/* Appends the next events, of the next execution where this one has all. False: nothing is left. */
static bool begin(struct load *load, struct client *client) {
  if (client->last_id == load->events || client->execution < 0) {
    if (load->executions != 0 && load->next_execution == load->executions) {
      return false;
    }
    client->execution = load->next_execution++;
    client->last_id = 0;
  }
  client->begun_us = g_get_monotonic_time();
  if (client->begun_us >= load->until_us && client->call != NULL) {
    return false;
  }
  grpc_metadata_array_init(&client->initial);
  grpc_metadata_array_init(&client->trailing);
  client->request = next_request(load, client);
  client->call = grpc_channel_create_call(
      client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, load->queue,
      grpc_slice_from_static_string("/annals.v1.HistoryService/AppendHistoryEvents"), NULL,
      gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
  grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
                    {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
                    {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
  ops[1].data.send_message.send_message = client->request;
  ops[3].data.recv_initial_metadata.recv_initial_metadata = &client->initial;
  ops[4].data.recv_message.recv_message = &client->reply;
  ops[5].data.recv_status_on_client.trailing_metadata = &client->trailing;
  ops[5].data.recv_status_on_client.status = &client->status;
  ops[5].data.recv_status_on_client.status_details = &client->details;
  grpc_call_error error = grpc_call_start_batch(client->call, ops, G_N_ELEMENTS(ops), client, NULL);
  g_assert(error == GRPC_CALL_OK);
  load->in_flight++;
  return true;
}

static void end(struct load *load, struct client *client) {
  load_latencies_add(load->latencies_us, client->begun_us);
  load->in_flight--;
  if (client->status != GRPC_STATUS_OK) {
    g_autofree char *text = grpc_slice_to_c_string(client->details);
    fprintf(stderr, "history_load: an append failed with status %d: %s\n", (int)client->status,
            text);
    exit(EXIT_FAILURE);
  }
  grpc_byte_buffer_destroy(client->request);
  grpc_byte_buffer_destroy(client->reply);
  grpc_slice_unref(client->details);
  grpc_metadata_array_destroy(&client->initial);
  grpc_metadata_array_destroy(&client->trailing);
  grpc_call_unref(client->call);
}

static void run(struct load *load, const char *target, size_t client_count) {
  struct client *clients = g_new0(struct client, client_count);
  for (size_t i = 0; i < client_count; i++) {
    clients[i].channel =
        i % CLIENTS_PER_CHANNEL == 0 ? load_channel_new(target) : clients[i - 1].channel;
    clients[i].execution = -1;
    (void)begin(load, &clients[i]);
  }
  while (load->in_flight > 0) {
    grpc_event event =
        grpc_completion_queue_next(load->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    end(load, event.tag);
    (void)begin(load, event.tag);
  }
  g_free(clients);
}

static void report(const struct load *load, double took) {
  guint appends = load->latencies_us->len;
  printf("appends=%u events=%" G_GINT64_FORMAT
         " seconds=%.3f appends_per_second=%.1f"
         " events_per_second=%.1f",
         appends, load->event_count, took, appends / took, (double)load->event_count / took);
  load_latencies_print(load->latencies_us);
}

int main(int argc, char **argv) {
  if (argc != ARGUMENTS) {
    fprintf(stderr,
            "usage: history_load HOST:PORT ARN_PREFIX CLIENTS EVENTS_AT_ONCE EVENT_BYTES "
            "EVENTS EXECUTIONS SECONDS\n");
    return 2;
  }
  static const size_t head_bytes = 62; /* of an event beside the text, about */
  int64_t events = g_ascii_strtoll(argv[6], NULL, 10);
  double seconds = g_ascii_strtod(argv[8], NULL);
  size_t event_bytes = (size_t)g_ascii_strtoull(argv[5], NULL, 10);
  gint64 start_us = g_get_monotonic_time();
  struct load load = {
      .arn_prefix = argv[2],
      .at_once = g_ascii_strtoll(argv[4], NULL, 10),
      .text_bytes = CLAMP(event_bytes, head_bytes, TEXT_BYTES / 2) - head_bytes,
      .events = ABS(events),
      .ends = events > 0,
      .executions = g_ascii_strtoll(argv[7], NULL, 10),
      .until_us = seconds > 0 ? start_us + (gint64)(seconds * G_USEC_PER_SEC) : INT64_MAX,
      .latencies_us = load_latencies_new(),
  };
  load.text = make_text();
  grpc_init();
  load.queue = grpc_completion_queue_create_for_next(NULL);
  run(&load, argv[1], (size_t)g_ascii_strtoull(argv[3], NULL, 10));
  report(&load, (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC);
  return EXIT_SUCCESS;
}
