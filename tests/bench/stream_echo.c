/*
 * The baseline of watches: a bare server on gRPC's C core that sends messages made before to every
 * stream, as fast as clients take them.
 *
 * Usage: stream_echo STREAMS MESSAGES
 * A message is one HistoryEvent in a WatchExecutionHistoryResponse, as tests/bench/watch_load has
 * them. A stream gets its first message at once, and the others when STREAMS have come.
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

#include "proto/buffer.h"
#include "proto/canonical.h"
#include "proto/wire.h"

enum { ARGUMENTS = 3, MESSAGE_BYTES_MAX = 256 };
enum { EVENTS = 1, TYPE = 2, ID = 3, PREVIOUS_ID = 4, TYPE_PASS_ENTERED = 38 };

struct call {
  grpc_call *call;
  gpr_timespec deadline;
  grpc_metadata_array metadata;
  grpc_byte_buffer *request;
  grpc_byte_buffer *message;
  int cancelled;
  char close_tag; /* its address is the tag; the call's own is that of all else */
  size_t sent;
  bool accepted;
  bool ended;
};

struct server {
  grpc_server *core;
  grpc_completion_queue *queue;
  void *method;
  grpc_slice *messages;
  size_t message_count;
  GPtrArray *waiting; /* of struct call */
  size_t stream_count;
};

static void arm(struct server *server) {
  struct call *call = g_new0(struct call, 1);
  grpc_metadata_array_init(&call->metadata);
  grpc_server_request_registered_call(server->core, server->method, &call->call, &call->deadline,
                                      &call->metadata, &call->request, server->queue, server->queue,
                                      call);
}

/* Sends the next message; behind the last one the status. */
static void send_next(const struct server *server, struct call *call) {
  grpc_op ops[2] = {0};
  size_t count = 0;
  if (call->sent == 0) {
    ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
  }
  if (call->message != NULL) {
    grpc_byte_buffer_destroy(call->message);
    call->message = NULL;
  }
  if (call->sent < server->message_count) {
    call->message = grpc_raw_byte_buffer_create(&server->messages[call->sent++], 1);
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = call->message;
  } else {
    ops[count++].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    call->ended = true;
  }
  grpc_call_error error = grpc_call_start_batch(call->call, ops, count, call, NULL);
  g_assert(error == GRPC_CALL_OK);
}

static void accept_call(struct server *server, struct call *call) {
  grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
  close.data.recv_close_on_server.cancelled = &call->cancelled;
  call->accepted = true;
  arm(server);
  grpc_call_start_batch(call->call, &close, 1, &call->close_tag, NULL);
  send_next(server, call);
}

/* The first message has left: the others go when all streams are as far. */
static void wait_for_all(struct server *server, struct call *call) {
  g_ptr_array_add(server->waiting, call);
  if (server->waiting->len < server->stream_count) {
    return;
  }
  for (guint i = 0; i < server->waiting->len; i++) {
    send_next(server, server->waiting->pdata[i]);
  }
  g_ptr_array_set_size(server->waiting, 0);
}

static void serve(struct server *server) {
  GHashTable *closed = g_hash_table_new(NULL, NULL); /* tags of ends, which say nothing */
  for (;;) {
    grpc_event event =
        grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    struct call *call = event.tag;
    if (g_hash_table_remove(closed, event.tag)) {
      continue;
    }
    if (!call->accepted) {
      g_hash_table_add(closed, &call->close_tag);
      accept_call(server, call);
    } else if (!call->ended && call->sent == 1) {
      wait_for_all(server, call);
    } else if (!call->ended) {
      send_next(server, call);
    }
  }
}

static void make_messages(struct server *server, size_t count) {
  server->message_count = count;
  server->messages = g_new(grpc_slice, count);
  for (size_t i = 0; i < count; i++) {
    struct annals_buffer out;
    annals_buffer_init(&out, MESSAGE_BYTES_MAX);
    annals_canonical_append_timestamp(&out, g_get_real_time() / G_USEC_PER_SEC, 123456789);
    annals_wire_append_varint(&out, TYPE, TYPE_PASS_ENTERED);
    annals_wire_append_varint(&out, ID, i + 1);
    if (i > 0) {
      annals_wire_append_varint(&out, PREVIOUS_ID, i);
    }
    annals_wire_wrap(&out, 0, EVENTS);
    size_t size;
    uint8_t *bytes = annals_buffer_steal(&out, &size);
    server->messages[i] = grpc_slice_new(bytes, size, g_free);
  }
}

int main(int argc, char **argv) {
  if (argc != ARGUMENTS) {
    fprintf(stderr, "usage: stream_echo STREAMS MESSAGES\n");
    return 2;
  }
  grpc_init();
  struct server server = {
      .core = grpc_server_create(NULL, NULL),
      .waiting = g_ptr_array_new(),
      .stream_count = (size_t)strtoull(argv[1], NULL, 10),
  };
  make_messages(&server, (size_t)strtoull(argv[2], NULL, 10));
  server.queue = grpc_completion_queue_create_for_next(NULL);
  grpc_server_register_completion_queue(server.core, server.queue, NULL);
  server.method =
      grpc_server_register_method(server.core, "/annals.v1.HistoryService/WatchExecutionHistory",
                                  NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
  grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
  int port = grpc_server_add_http2_port(server.core, "127.0.0.1:0", credentials);
  grpc_server_credentials_release(credentials);
  grpc_server_start(server.core);
  for (size_t i = 0; i < server.stream_count; i++) {
    arm(&server);
  }
  printf("echo ready grpc=127.0.0.1:%d\n", port);
  fflush(stdout);
  serve(&server);
}
