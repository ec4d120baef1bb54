/*
 * The baseline of gRPC reads: a bare server on gRPC's C core that answers every call with the same
 * bytes from memory.
 *
 * Usage: grpc_echo BYTES [CALLS]
 * CALLS is how many a connection may have at once; any number, if it is left out.
 * Prints `echo ready grpc=127.0.0.1:PORT` and serves until it is killed.
 */
#include <glib.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 256 };

struct call {
  grpc_call *call;
  gpr_timespec deadline;
  grpc_metadata_array metadata;
  grpc_byte_buffer *request;
  grpc_byte_buffer *reply;
  int cancelled;
  int pending; /* batches under way; 0: the slot waits for a call */
};

struct server {
  grpc_server *core;
  grpc_completion_queue *queue;
  void *method;
  grpc_slice answer;
};

static void arm(struct server *server) {
  struct call *call = g_new0(struct call, 1);
  grpc_metadata_array_init(&call->metadata);
  grpc_server_request_registered_call(server->core, server->method, &call->call, &call->deadline,
                                      &call->metadata, &call->request, server->queue, server->queue,
                                      call);
}

static void answer(struct server *server, struct call *call) {
  grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
  close.data.recv_close_on_server.cancelled = &call->cancelled;
  call->reply = grpc_raw_byte_buffer_create(&server->answer, 1);
  grpc_op ops[3] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                    {.op = GRPC_OP_SEND_MESSAGE},
                    {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
  ops[1].data.send_message.send_message = call->reply;
  call->pending = 2;
  grpc_call_start_batch(call->call, &close, 1, call, NULL);
  grpc_call_start_batch(call->call, ops, 3, call, NULL);
}

static void finish(struct call *call) {
  grpc_byte_buffer_destroy(call->reply);
  if (call->request != NULL) {
    grpc_byte_buffer_destroy(call->request);
  }
  grpc_metadata_array_destroy(&call->metadata);
  grpc_call_unref(call->call);
  g_free(call);
}

static void serve(struct server *server) {
  for (;;) {
    grpc_event event =
        grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    struct call *call = event.tag;
    if (call->pending == 0) {
      arm(server);
      answer(server, call);
    } else if (--call->pending == 0) {
      finish(call);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3) {
    fprintf(stderr, "usage: grpc_echo BYTES [CALLS]\n");
    return 2;
  }
  size_t size = (size_t)strtoull(argv[1], NULL, 10);
  uint8_t *bytes = g_malloc0(size);
  grpc_init();
  grpc_arg calls = {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_MAX_CONCURRENT_STREAMS};
  calls.value.integer = argc == 3 ? atoi(argv[2]) : 0;
  const grpc_channel_args args = {.num_args = argc == 3 ? 1 : 0, .args = &calls};
  struct server server = {.core = grpc_server_create(&args, NULL)};
  server.queue = grpc_completion_queue_create_for_next(NULL);
  grpc_server_register_completion_queue(server.core, server.queue, NULL);
  server.method =
      grpc_server_register_method(server.core, "/annals.v1.HistoryService/GetExecutionHistory",
                                  NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
  grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
  int port = grpc_server_add_http2_port(server.core, "127.0.0.1:0", credentials);
  grpc_server_credentials_release(credentials);
  server.answer = grpc_slice_from_static_buffer(bytes, size);
  grpc_server_start(server.core);
  for (int i = 0; i < SLOTS; i++) {
    arm(&server);
  }
  printf("echo ready grpc=127.0.0.1:%d\n", port);
  fflush(stdout);
  serve(&server);
}
