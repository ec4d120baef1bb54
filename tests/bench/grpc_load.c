/*
 * Load for a gRPC server: unary calls of one method, a fixed number of them in flight.
 *
 * Usage: grpc_load HOST:PORT METHOD REQUESTS_FILE IN_FLIGHT SECONDS
 * The file holds requests, each after its length as 4 bytes, most significant first; they are sent
 * in turn, over and over.
 * Prints `calls=N seconds=S calls_per_second=R reply_bytes=B`; fails if any call does.
 */
#include <glib.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECEIVE_BYTES_MAX = 64 * 1024 * 1024, ARGUMENTS = 6 };

struct load {
  grpc_channel *channel;
  grpc_completion_queue *queue;
  grpc_slice method;
  grpc_slice *requests;
  size_t request_count;
  size_t next_request;
  gint64 until_us;
  guint64 calls;
  guint64 reply_bytes; /* of the last call */
  unsigned in_flight;
};

struct call {
  grpc_call *call;
  grpc_metadata_array initial;
  grpc_metadata_array trailing;
  grpc_byte_buffer *request; /* sending empties it: each call has its own */
  grpc_byte_buffer *reply;
  grpc_status_code status;
  grpc_slice details;
};

static void begin(struct load *load, struct call *call) {
  *call = (struct call){0};
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
  load->in_flight++;
}

static void end(struct load *load, struct call *call) {
  load->in_flight--;
  load->calls++;
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

static void run(struct load *load, unsigned in_flight) {
  g_autofree struct call *calls = g_new0(struct call, in_flight);
  for (unsigned i = 0; i < in_flight; i++) {
    begin(load, &calls[i]);
  }
  while (load->in_flight > 0) {
    grpc_event event =
        grpc_completion_queue_next(load->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    end(load, event.tag);
    if (g_get_monotonic_time() < load->until_us) {
      begin(load, event.tag);
    }
  }
}

static grpc_channel *connect_to(const char *target) {
  grpc_arg list[] = {{.type = GRPC_ARG_INTEGER,
                      .key = GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                      .value.integer = RECEIVE_BYTES_MAX},
                     {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_ENABLE_HTTP_PROXY}};
  grpc_channel_args args = {.num_args = G_N_ELEMENTS(list), .args = list};
  grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
  grpc_channel *channel = grpc_channel_create(target, credentials, &args);
  grpc_channel_credentials_release(credentials);
  return channel;
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
  if (argc != ARGUMENTS || !g_file_get_contents(argv[3], &requests, &size, NULL) ||
      !read_requests(&load, requests, size)) {
    fprintf(stderr, "usage: grpc_load HOST:PORT METHOD REQUESTS_FILE IN_FLIGHT SECONDS\n");
    return 2;
  }
  double seconds = g_ascii_strtod(argv[5], NULL);
  load.channel = connect_to(argv[1]);
  load.queue = grpc_completion_queue_create_for_next(NULL);
  load.method = grpc_slice_from_copied_string(argv[2]);
  gint64 start_us = g_get_monotonic_time();
  load.until_us = start_us + (gint64)(seconds * G_USEC_PER_SEC);
  run(&load, (unsigned)strtoul(argv[4], NULL, 10));
  double took = (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC;
  printf("calls=%" G_GUINT64_FORMAT
         " seconds=%.3f calls_per_second=%.0f reply_bytes=%" G_GUINT64_FORMAT "\n",
         load.calls, took, (double)load.calls / took, load.reply_bytes);
  return EXIT_SUCCESS;
}
