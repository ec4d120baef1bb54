/*
 * Load of watchers: many that follow executions to which events are appended at a steady rate. Each
 * has to get its history complete and in order.
 *
 * Usage: watch_load HOST:PORT ARN_PREFIX EXECUTIONS WATCHERS ROUNDS RATE [SERVER_PID]
 *
 * A round is an event to each execution; RATE is of events a second, 0: as fast as it goes, below
 * 0: nothing is appended, and the server sends by itself. Prints `watchers=W executions=E events=N
 * seconds=S events_per_second=R delivered=D delivered_per_second=F p50_ms=L p99_ms=L max_ms=L
 * messages=M`, M of them with those events, and with SERVER_PID ` bytes_per_watcher=B`: what the
 * server's memory has grown by for each watcher that had nothing to do. Fails if any append or
 * watch does. Latencies are from before the append to the watcher.
 */
#include <glib.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/annals.h"
#include "proto/wire.h"

enum {
  ARGUMENTS = 7,
  WATCHES_PER_CHANNEL = 500,
  IN_FLIGHT = 256,
  STREAMS_MAX = 10,
  FIELD_ARN = 1,
  FIELD_EVENTS = 1,
  FIELD_TIMESTAMP = 1,
  FIELD_ID = 3,
  ARN_BYTES_MAX = 256,
};

struct load {
  const char *endpoint;
  const char *arn_prefix;
  int64_t executions;
  int64_t watchers;
  int64_t rounds;
  double rate;
  const char *server_pid; /* NULL: not to be looked at */
  int64_t server_bytes_before;
  int64_t bytes_per_watcher;

  grpc_completion_queue *queue;
  GPtrArray *channels;
  struct watch *watches;
  int64_t begun; /* watches that have the first event */
  int64_t ended;
  uint32_t *latencies_us;
  size_t latency_count;
  int64_t message_count;

  struct annals_client *client;
  int64_t start_us;
  int64_t took_us;     /* for the appends */
  int64_t all_took_us; /* up to the last delivery */
};

struct watch {
  grpc_call *call;
  int64_t last_id;
  grpc_metadata_array initial;
  grpc_metadata_array trailing;
  grpc_byte_buffer *request;
  grpc_byte_buffer *message;
  grpc_status_code status;
  grpc_slice details;
  char ended_tag; /* its address is the tag; the watch's own is that of messages */
};

G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN static void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("watch_load: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  exit(EXIT_FAILURE);
}

static int64_t server_bytes(const struct load *load) {
  if (load->server_pid == NULL) {
    return 0;
  }
  g_autofree char *path = g_strdup_printf("/proc/%s/status", load->server_pid);
  g_autofree char *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, NULL)) {
    die("cannot read %s", path);
  }
  const char *line = strstr(text, "VmRSS:");
  return line != NULL ? g_ascii_strtoll(line + strlen("VmRSS:"), NULL, 10) * 1024 : 0;
}

static void put_arn(const struct load *load, int64_t execution, char *arn) {
  g_snprintf(arn, ARN_BYTES_MAX, "%s%" G_GINT64_FORMAT, load->arn_prefix, execution);
}

/* --- appends --- */

static void append_event(const struct load *load, struct annals_client_append_stream *stream,
                         int64_t execution, int64_t id) {
  int64_t now_us = g_get_real_time();
  Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  Annals__V1__HistoryEvent event = ANNALS__V1__HISTORY_EVENT__INIT;
  const Annals__V1__HistoryEvent *events[] = {&event};
  char arn[ARN_BYTES_MAX];
  GError *error = NULL;
  put_arn(load, execution, arn);
  timestamp.seconds = now_us / G_USEC_PER_SEC;
  timestamp.nanos = (int32_t)(now_us % G_USEC_PER_SEC) * 1000;
  event.timestamp = &timestamp;
  event.id = id;
  event.previous_event_id = id - 1;
  event.type = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_PASS_STATE_ENTERED;
  if (id == 1) {
    event.type = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_STARTED;
  } else if (id == load->rounds) {
    event.type = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED;
  }
  const struct annals_client_append_request request = {
      .execution_arn = arn, .events = events, .event_count = 1};
  if (!annals_client_append_stream_append(stream, &request, NULL, &error)) {
    die("append: %s", error->message);
  }
}

/* Waits for an outcome, or for the time; negative: for ever. Returns whether there was one. */
static bool take_outcome(struct annals_client_append_stream *stream, int64_t timeout_ms) {
  struct annals_client_append_outcome outcome;
  g_autoptr(GError) error = NULL;
  if (!annals_client_append_stream_next(stream, timeout_ms, &outcome, &error)) {
    if (timeout_ms < 0 || error->code != ANNALS_CLIENT_DEADLINE_EXCEEDED) {
      die("append: %s", error->message);
    }
    return false;
  }
  if (outcome.error != NULL) {
    die("append refused: %s", outcome.error->message);
  }
  return outcome.number != 0;
}

/* Lets outcomes come until it is time for the next event, and there is room for it. */
static void pace(struct annals_client_append_stream *stream, int64_t due_us) {
  int64_t left_ms;
  while ((left_ms = (due_us - g_get_monotonic_time()) / 1000) > 0) {
    if (!take_outcome(stream, left_ms)) {
      g_usleep((gulong)MAX(due_us - g_get_monotonic_time(), 0));
    }
  }
  while (!annals_client_append_stream_has_room(stream)) {
    (void)take_outcome(stream, -1);
  }
}

static void close_stream(struct annals_client_append_stream *stream) {
  GError *error = NULL;
  if (!annals_client_append_stream_close(stream, -1, &error)) {
    die("append: %s", error->message);
  }
  annals_client_append_stream_free(stream);
}

/* In turns over as many streams as keep the server busy, each with executions of its own; at a rate
 * one will do. */
static void append_rounds(struct load *load, int64_t first, int64_t last, double rate) {
  const struct annals_client_append_stream_options limits = {.in_flight_max = IN_FLIGHT};
  struct annals_client_append_stream *streams[STREAMS_MAX];
  int64_t stream_count = rate > 0 ? 1 : MIN(load->executions, STREAMS_MAX);
  for (int64_t i = 0; i < stream_count; i++) {
    streams[i] = annals_client_append_stream_new(load->client, &limits);
  }
  int64_t start_us = g_get_monotonic_time();
  int64_t count = 0;
  for (int64_t id = first; id <= last; id++) {
    for (int64_t execution = 0; execution < load->executions; execution++) {
      struct annals_client_append_stream *stream = streams[execution % stream_count];
      pace(stream,
           rate > 0 ? start_us + (int64_t)((double)count * G_USEC_PER_SEC / rate) : start_us);
      append_event(load, stream, execution, id);
      count++;
    }
  }
  for (int64_t i = 0; i < stream_count; i++) {
    close_stream(streams[i]);
  }
}

static void *append_all(void *data) {
  struct load *load = data;
  if (load->rate >= 0) {
    append_rounds(load, 2, load->rounds, load->rate);
  }
  load->took_us = g_get_monotonic_time() - load->start_us;
  return NULL;
}

/* --- watches --- */

static grpc_channel *channel_new(const char *endpoint) {
  grpc_arg list[] = {
      {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, .value.integer = 1},
      {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_ENABLE_HTTP_PROXY}};
  grpc_channel_args args = {.num_args = G_N_ELEMENTS(list), .args = list};
  grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
  grpc_channel *channel = grpc_channel_create(endpoint, credentials, &args);
  grpc_channel_credentials_release(credentials);
  return channel;
}

static void start_batch(struct watch *watch, const grpc_op *ops, size_t count, void *tag) {
  grpc_call_error error = grpc_call_start_batch(watch->call, ops, count, tag, NULL);
  g_assert(error == GRPC_CALL_OK);
}

static void receive(struct watch *watch) {
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
  op.data.recv_message.recv_message = &watch->message;
  start_batch(watch, &op, 1, watch);
}

static void open_watch(struct load *load, int64_t index) {
  struct watch *watch = &load->watches[index];
  char arn[ARN_BYTES_MAX];
  uint8_t request[ARN_BYTES_MAX + 16] = {FIELD_ARN << 3 | ANNALS_WIRE_BYTES};
  put_arn(load, index % load->executions, arn);
  size_t size = 1 + annals_wire_put_varint(request + 1, strlen(arn));
  memcpy(request + size, arn, strlen(arn));
  grpc_slice slice = grpc_slice_from_copied_buffer((const char *)request, size + strlen(arn));
  watch->request = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  grpc_metadata_array_init(&watch->initial);
  grpc_metadata_array_init(&watch->trailing);
  watch->call = grpc_channel_create_call(
      load->channels->pdata[index / WATCHES_PER_CHANNEL], NULL, GRPC_PROPAGATE_DEFAULTS,
      load->queue, grpc_slice_from_static_string("/annals.v1.HistoryService/WatchExecutionHistory"),
      NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
  grpc_op ops[5] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                    {.op = GRPC_OP_SEND_MESSAGE},
                    {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                    {.op = GRPC_OP_RECV_INITIAL_METADATA},
                    {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
  ops[1].data.send_message.send_message = watch->request;
  ops[3].data.recv_initial_metadata.recv_initial_metadata = &watch->initial;
  ops[4].data.recv_status_on_client.trailing_metadata = &watch->trailing;
  ops[4].data.recv_status_on_client.status = &watch->status;
  ops[4].data.recv_status_on_client.status_details = &watch->details;
  start_batch(watch, ops, G_N_ELEMENTS(ops), &watch->ended_tag);
  receive(watch);
}

/* Gives the id of an event, and when it was made. */
static int64_t read_event(const struct annals_wire_field *event, int64_t *ret_us) {
  struct annals_wire_reader reader = {event->bytes, event->bytes + event->size};
  struct annals_wire_field field;
  int64_t id = 0;
  int64_t parts[3] = {0};
  while (annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD) {
    if (field.number == FIELD_ID) {
      id = (int64_t)field.varint;
    } else if (field.number == FIELD_TIMESTAMP) {
      struct annals_wire_reader time = {field.bytes, field.bytes + field.size};
      while (annals_wire_next(&time, &field) == ANNALS_WIRE_FIELD) {
        parts[field.number <= 2 ? field.number : 0] = (int64_t)field.varint;
      }
    }
  }
  *ret_us = parts[1] * G_USEC_PER_SEC + parts[2] / 1000;
  return id;
}

static void take_events(struct load *load, struct watch *watch, const uint8_t *bytes, size_t size) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field field;
  int64_t now_us = g_get_real_time();
  while (annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD) {
    int64_t made_us = 0;
    int64_t id = field.number == FIELD_EVENTS ? read_event(&field, &made_us) : 0;
    if (id != watch->last_id + 1) {
      die("watcher %td got event %" G_GINT64_FORMAT " behind %" G_GINT64_FORMAT,
          watch - load->watches, id, watch->last_id);
    }
    watch->last_id = id;
    if (id == 1) {
      load->begun++;
    } else {
      load->latencies_us[load->latency_count++] = (uint32_t)MAX(now_us - made_us, 0);
    }
  }
}

static void take_message(struct load *load, struct watch *watch) {
  if (watch->message == NULL) {
    return; /* the status tells */
  }
  grpc_byte_buffer_reader reader;
  load->message_count++;
  g_assert(grpc_byte_buffer_reader_init(&reader, watch->message) != 0);
  grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
  take_events(load, watch, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
  grpc_slice_unref(slice);
  grpc_byte_buffer_reader_destroy(&reader);
  grpc_byte_buffer_destroy(watch->message);
  receive(watch);
}

static void take_end(struct load *load, struct watch *watch) {
  if (watch->status != GRPC_STATUS_OK) {
    g_autofree char *text = grpc_slice_to_c_string(watch->details);
    die("a watch ended behind event %" G_GINT64_FORMAT " with status %d: %s", watch->last_id,
        (int)watch->status, text);
  }
  load->ended++;
}

/* Watches until the counter is as high as there are watches. */
static void watch_until(struct load *load, const int64_t *counter) {
  while (*counter < load->watchers) {
    grpc_event event =
        grpc_completion_queue_next(load->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    size_t offset = (size_t)((char *)event.tag - (char *)load->watches);
    struct watch *watch = &load->watches[offset / sizeof *watch];
    if (event.tag == &watch->ended_tag) {
      take_end(load, watch);
    } else {
      take_message(load, watch);
    }
  }
}

static void open_watches(struct load *load) {
  load->queue = grpc_completion_queue_create_for_next(NULL);
  load->channels = g_ptr_array_new();
  load->watches = g_new0(struct watch, (gsize)load->watchers);
  load->latencies_us = g_new(uint32_t, (gsize)(load->watchers * load->rounds));
  for (int64_t i = 0; i < load->watchers; i += WATCHES_PER_CHANNEL) {
    g_ptr_array_add(load->channels, channel_new(load->endpoint));
  }
  load->server_bytes_before = server_bytes(load);
  for (int64_t i = 0; i < load->watchers; i++) {
    open_watch(load, i);
  }
  watch_until(load, &load->begun);
  load->bytes_per_watcher = (server_bytes(load) - load->server_bytes_before) / load->watchers;
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a;
  uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double latency_ms(const struct load *load, double part) {
  size_t index = (size_t)((double)(load->latency_count - 1) * part);
  return load->latencies_us[index] / 1000.0;
}

static void report(struct load *load) {
  int64_t events = load->executions * (load->rounds - 1);
  double seconds = (double)load->took_us / G_USEC_PER_SEC;
  qsort(load->latencies_us, load->latency_count, sizeof *load->latencies_us, compare);
  printf("watchers=%" G_GINT64_FORMAT " executions=%" G_GINT64_FORMAT " events=%" G_GINT64_FORMAT
         " seconds=%.2f events_per_second=%.0f delivered=%zu delivered_per_second=%.0f p50_ms=%.2f "
         "p99_ms=%.2f max_ms=%.2f messages=%" G_GINT64_FORMAT,
         load->watchers, load->executions, events, seconds, (double)events / seconds,
         load->latency_count,
         (double)load->latency_count * G_USEC_PER_SEC / (double)load->all_took_us,
         latency_ms(load, 0.5), latency_ms(load, 0.99), latency_ms(load, 1), load->message_count);
  if (load->server_pid != NULL) {
    printf(" bytes_per_watcher=%" G_GINT64_FORMAT, load->bytes_per_watcher);
  }
  putchar('\n');
}

int main(int argc, char **argv) {
  if (argc != ARGUMENTS && argc != ARGUMENTS + 1) {
    fprintf(stderr,
            "usage: watch_load HOST:PORT ARN_PREFIX EXECUTIONS WATCHERS ROUNDS RATE"
            " [SERVER_PID]\n");
    return 2;
  }
  static struct load load; /* what it holds is held to the end */
  load = (struct load){
      .endpoint = argv[1],
      .arn_prefix = argv[2],
      .executions = g_ascii_strtoll(argv[3], NULL, 10),
      .watchers = g_ascii_strtoll(argv[4], NULL, 10),
      .rounds = MAX(g_ascii_strtoll(argv[5], NULL, 10), 2),
      .rate = g_ascii_strtod(argv[6], NULL),
      .server_pid = argc > ARGUMENTS ? argv[ARGUMENTS] : NULL,
  };
  const struct annals_client_options options = {.endpoint = load.endpoint};
  load.client = annals_client_open(&options, NULL);
  g_assert(load.client != NULL);
  if (load.rate >= 0) {
    append_rounds(&load, 1, 1, 0);
  }
  open_watches(&load);
  load.start_us = g_get_monotonic_time();
  pthread_t thread;
  int errnum = pthread_create(&thread, NULL, append_all, &load);
  g_assert(errnum == 0);
  watch_until(&load, &load.ended);
  load.all_took_us = MAX(g_get_monotonic_time() - load.start_us, 1);
  pthread_join(thread, NULL);
  for (int64_t i = 0; i < load.watchers; i++) {
    if (load.watches[i].last_id != load.rounds) {
      die("watcher %" G_GINT64_FORMAT " ended behind event %" G_GINT64_FORMAT, i,
          load.watches[i].last_id);
    }
  }
  report(&load);
  return EXIT_SUCCESS;
}
