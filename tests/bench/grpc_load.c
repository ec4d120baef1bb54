/*
 * Load for a gRPC server: unary calls of one method.
 *
 * Usage: grpc_load HOST:PORT METHOD REQUESTS_FILE IN_FLIGHT SECONDS [RATE]
 * The file holds requests, each after its length as 4 bytes, most significant first. They are sent
 * in turn, over and over; for 0 seconds, each once. IN_FLIGHT of them are always under way; with a
 * RATE, so many are sent a second, at most IN_FLIGHT at once, and a call that has to wait for its
 * turn takes longer by that.
 * Prints `calls=N seconds=S calls_per_second=R reply_bytes=B p50_us=L p99_us=L p999_us=L`; fails if
 * any call does.
 */
#include <glib.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load.h"

enum { ARGUMENTS = 6 };

struct load {
  grpc_channel *channel;
  grpc_completion_queue *queue;
  grpc_slice method;
  grpc_slice *requests;
  size_t request_count;
  size_t next_request;
  double rate; /* of calls a second; 0: as many as are answered */
  gint64 start_us;
  gint64 until_us; /* 0: each request once */
  guint64 begun;
  guint64 reply_bytes;  /* of the last call */
  GArray *latencies_us; /* of guint32: of the calls that have been answered */
  unsigned in_flight;
  unsigned in_flight_max;
  GQueue idle;
};

struct call {
  gint64 due_us;
  grpc_call *call;
  grpc_metadata_array initial;
  grpc_metadata_array trailing;
  grpc_byte_buffer *request; /* sending empties it: each call has its own */
  grpc_byte_buffer *reply;
  grpc_status_code status;
  grpc_slice details;
};

static gint64 due_us(const struct load *load) {
  return load->start_us + (gint64)((double)load->begun * G_USEC_PER_SEC / load->rate);
}

static void begin(struct load *load, struct call *call) {
  *call = (struct call){.due_us = load->rate > 0 ? due_us(load) : g_get_monotonic_time()};
  grpc_metadata_array_init(&call->initial);
  grpc_metadata_array_init(&call->trailing);
  call->request = grpc_raw_byte_buffer_create(&load->requests[load->next_request], 1);
  load->next_request = (load->next_request + 1) % load->request_count;
  call->call =
      grpc_channel_create_call(load->channel, NULL, GRPC_PROPAGATE_DEFAULTS, load->queue,
                               load->method, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
  grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
                    {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
                    {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
  ops[1].data.send_message.send_message = call->request;
  ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
  ops[4].data.recv_message.recv_message = &call->reply;
  ops[5].data.recv_status_on_client.trailing_metadata = &call->trailing;
  ops[5].data.recv_status_on_client.status = &call->status;
  ops[5].data.recv_status_on_client.status_details = &call->details;
  grpc_call_error error = grpc_call_start_batch(call->call, ops, G_N_ELEMENTS(ops), call, NULL);
  g_assert(error == GRPC_CALL_OK);
  load->begun++;
  load->in_flight++;
}

static void end(struct load *load, struct call *call) {
  load_latencies_add(load->latencies_us, call->due_us);
  load->in_flight--;
  if (call->status != GRPC_STATUS_OK || call->reply == NULL) {
    g_autofree char *text = grpc_slice_to_c_string(call->details);
    fprintf(stderr, "grpc_load: a call failed with status %d: %s\n", (int)call->status, text);
    exit(EXIT_FAILURE);
  }
  load->reply_bytes = grpc_byte_buffer_length(call->reply);
  grpc_byte_buffer_destroy(call->request);
  grpc_byte_buffer_destroy(call->reply);
  grpc_slice_unref(call->details);
  grpc_metadata_array_destroy(&call->initial);
  grpc_metadata_array_destroy(&call->trailing);
  grpc_call_unref(call->call);
}

/* Tells whether another call is to be begun, now or as soon as there is room: at least one is. */
static bool has_more(const struct load *load) {
  return load->until_us == 0 ? load->begun < load->request_count
                             : load->begun == 0 || g_get_monotonic_time() < load->until_us;
}

/* Begins what is due. Returns when the next is, or for ever where a call has to end before. */
static gpr_timespec begin_due(struct load *load) {
  while (!g_queue_is_empty(&load->idle) && has_more(load)) {
    gint64 wait_us = load->rate > 0 ? due_us(load) - g_get_monotonic_time() : 0;
    if (wait_us > 0) {
      return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                          gpr_time_from_micros(wait_us, GPR_TIMESPAN));
    }
    begin(load, g_queue_pop_head(&load->idle));
  }
  return gpr_inf_future(GPR_CLOCK_MONOTONIC);
}

static void run(struct load *load) {
  g_autofree struct call *calls = g_new0(struct call, load->in_flight_max);
  for (unsigned i = 0; i < load->in_flight_max; i++) {
    g_queue_push_tail(&load->idle, &calls[i]);
  }
  gpr_timespec until = begin_due(load);
  while (load->in_flight > 0 || has_more(load)) {
    grpc_event event = grpc_completion_queue_next(load->queue, until, NULL);
    if (event.type == GRPC_OP_COMPLETE) {
      end(load, event.tag);
      g_queue_push_head(&load->idle, event.tag);
    }
    until = begin_due(load);
  }
}

static void report(const struct load *load) {
  double took = (double)(g_get_monotonic_time() - load->start_us) / G_USEC_PER_SEC;
  guint calls = load->latencies_us->len;
  printf("calls=%u seconds=%.3f calls_per_second=%.1f reply_bytes=%" G_GUINT64_FORMAT, calls, took,
         calls / took, load->reply_bytes);
  load_latencies_print(load->latencies_us);
}

/* Cuts the file's bytes into requests. */
static bool read_requests(struct load *load, const char *bytes, size_t size) {
  for (size_t at = 0; at < size;) {
    guint32 length;
    if (size - at < sizeof length) {
      return false;
    }
    memcpy(&length, bytes + at, sizeof length);
    length = GUINT32_FROM_BE(length);
    at += sizeof length;
    if (size - at < length) {
      return false;
    }
    load->requests = g_renew(grpc_slice, load->requests, load->request_count + 1);
    load->requests[load->request_count++] = grpc_slice_from_copied_buffer(bytes + at, length);
    at += length;
  }
  return load->request_count > 0;
}

int main(int argc, char **argv) {
  g_autofree char *requests = NULL;
  gsize size;
  struct load load = {0};
  grpc_init();
  if (argc < ARGUMENTS || argc > ARGUMENTS + 1 ||
      !g_file_get_contents(argv[3], &requests, &size, NULL) ||
      !read_requests(&load, requests, size)) {
    fprintf(stderr, "usage: grpc_load HOST:PORT METHOD REQUESTS_FILE IN_FLIGHT SECONDS [RATE]\n");
    return 2;
  }
  double seconds = g_ascii_strtod(argv[5], NULL);
  load.channel = load_channel_new(argv[1]);
  load.queue = grpc_completion_queue_create_for_next(NULL);
  load.method = grpc_slice_from_copied_string(argv[2]);
  load.latencies_us = load_latencies_new();
  load.in_flight_max = (unsigned)MAX(strtoul(argv[4], NULL, 10), 1);
  load.rate = argc > ARGUMENTS ? g_ascii_strtod(argv[ARGUMENTS], NULL) : 0;
  load.start_us = g_get_monotonic_time();
  load.until_us = seconds > 0 ? load.start_us + (gint64)(seconds * G_USEC_PER_SEC) : 0;
  run(&load);
  report(&load);
  return EXIT_SUCCESS;
}
