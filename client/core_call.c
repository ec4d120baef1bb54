#include "client/core_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <string.h>

#include "client/channel.h"
#include "client/error.h"

grpc_slice annals_client_core_slice(struct annals_buffer *request) {
  size_t size;
  uint8_t *bytes = annals_buffer_steal(request, &size);
  return bytes != NULL ? grpc_slice_new_with_user_data(bytes, size, g_free, bytes)
                       : grpc_empty_slice();
}

bool annals_client_core_call_init(struct annals_client_core_call *call,
                                  struct annals_client *client, const char *path,
                                  grpc_slice *request, gpr_timespec deadline, GError **error) {
  g_autoptr(GError) why = NULL;
  memset(call, 0, sizeof *call);
  call->authorization = annals_client_authorization(client->token, client->token_file, &why);
  if (why != NULL) {
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
  }
  call->queue = grpc_completion_queue_create_for_next(NULL);
  call->call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->queue,
                                        grpc_slice_from_static_string(path), NULL, deadline, NULL);
  call->request = request != NULL ? grpc_raw_byte_buffer_create(request, 1) : NULL;
  grpc_metadata_array_init(&call->initial_metadata);
  grpc_metadata_array_init(&call->trailing_metadata);
  call->message = grpc_empty_slice();
  return true;
}

void annals_client_core_call_clear(struct annals_client_core_call *call) {
  grpc_call_unref(call->call);
  grpc_completion_queue_shutdown(call->queue);
  gpr_timespec forever = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  while (grpc_completion_queue_next(call->queue, forever, NULL).type != GRPC_QUEUE_SHUTDOWN) {
  }
  grpc_completion_queue_destroy(call->queue);
  annals_client_authorization_free(call->authorization);
  grpc_slice_unref(call->message);
  grpc_metadata_array_destroy(&call->initial_metadata);
  grpc_metadata_array_destroy(&call->trailing_metadata);
  grpc_byte_buffer_destroy(call->request);
  if (call->response != NULL) {
    grpc_byte_buffer_destroy(call->response);
  }
}

/* A batch that is refused is our bug, never the caller's or the network's fault. */
static void start_batch(struct annals_client_core_call *call, const grpc_op *ops, size_t count,
                        void *tag) {
  grpc_call_error result = grpc_call_start_batch(call->call, ops, count, tag, NULL);
  g_assert(result == GRPC_CALL_OK);
}

void annals_client_core_call_start(struct annals_client_core_call *call, bool unary, void *tag) {
  grpc_op ops[ANNALS_CLIENT_CORE_OPS] = {0};
  size_t count = 0;
  grpc_metadata authorization = {
      .key = grpc_slice_from_static_string("authorization"),
      .value = grpc_empty_slice(),
  };
  if (call->authorization != NULL) {
    authorization.value = grpc_slice_from_copied_string(call->authorization);
    ops[count].data.send_initial_metadata.count = 1;
    ops[count].data.send_initial_metadata.metadata = &authorization;
  }
  ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
  if (call->request != NULL) {
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = call->request;
    ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  }
  ops[count].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[count++].data.recv_initial_metadata.recv_initial_metadata = &call->initial_metadata;
  ops[count].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  ops[count].data.recv_status_on_client.trailing_metadata = &call->trailing_metadata;
  ops[count].data.recv_status_on_client.status = &call->status;
  ops[count++].data.recv_status_on_client.status_details = &call->message;
  if (unary) {
    ops[count].op = GRPC_OP_RECV_MESSAGE;
    ops[count++].data.recv_message.recv_message = &call->response;
  }
  start_batch(call, ops, count, tag);
  grpc_slice_unref(authorization.value);
}

void annals_client_core_call_send(struct annals_client_core_call *call, grpc_slice message,
                                  void *tag) {
  grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
  g_clear_pointer(&call->request, grpc_byte_buffer_destroy);
  call->request = grpc_raw_byte_buffer_create(&message, 1);
  op.data.send_message.send_message = call->request;
  start_batch(call, &op, 1, tag);
}

void annals_client_core_call_send_close(struct annals_client_core_call *call, void *tag) {
  grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
  start_batch(call, &op, 1, tag);
}

void annals_client_core_call_receive(struct annals_client_core_call *call, void *tag) {
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
  g_clear_pointer(&call->response, grpc_byte_buffer_destroy);
  op.data.recv_message.recv_message = &call->response;
  start_batch(call, &op, 1, tag);
}

void annals_client_core_call_set_error(const struct annals_client_core_call *call, GError **error) {
  const uint8_t *details = NULL;
  size_t size = 0;
  for (size_t i = 0; i < call->trailing_metadata.count; i++) {
    const grpc_metadata *metadata = &call->trailing_metadata.metadata[i];
    if (grpc_slice_str_cmp(metadata->key, "grpc-status-details-bin") == 0) {
      details = GRPC_SLICE_START_PTR(metadata->value);
      size = GRPC_SLICE_LENGTH(metadata->value);
    }
  }
  g_autofree char *message = g_strndup((const char *)GRPC_SLICE_START_PTR(call->message),
                                       GRPC_SLICE_LENGTH(call->message));
  annals_client_error_set_status(error, (int)call->status, message, details, size);
}

bool annals_client_core_call_take(struct annals_client_core_call *call,
                                  struct annals_buffer *response, GError **error) {
  if (call->response == NULL) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "", "the server sent no answer");
    return false;
  }
  grpc_byte_buffer_reader reader;
  bool ok = grpc_byte_buffer_reader_init(&reader, call->response) != 0;
  if (ok) {
    grpc_slice slice;
    while (grpc_byte_buffer_reader_next(&reader, &slice) != 0) {
      annals_buffer_append(response, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
      grpc_slice_unref(slice);
    }
    grpc_byte_buffer_reader_destroy(&reader);
  }
  if (!ok || response->failed) {
    annals_client_error_set(error, ANNALS_CLIENT_RESOURCE_EXHAUSTED, "",
                            "the server's answer does not fit into memory");
    return false;
  }
  return true;
}
