#include "client/call.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <string.h>

#include "client/channel.h"
#include "client/error.h"

enum { TIMEOUT_MS_DEFAULT = 60000 };

struct annals_client {
  grpc_channel *channel;
  int64_t timeout_ms;
  char *token;      /* NULL: none, or in the file */
  char *token_file; /* NULL: none */
};

/* All that one call holds. */
struct call {
  grpc_completion_queue *queue;
  grpc_call *call;
  char *authorization; /* of the call's metadata; NULL: none */
  grpc_byte_buffer *request;
  grpc_byte_buffer *response;
  grpc_metadata_array initial_metadata;
  grpc_metadata_array trailing_metadata;
  grpc_status_code status;
  grpc_slice message;
};

struct annals_client *annals_client_open(const struct annals_client_options *options,
                                         GError **error) {
  static const struct annals_client_options defaults = {0};
  if (options == NULL) {
    options = &defaults;
  }
  grpc_init();
  grpc_channel *channel = annals_client_channel_new(options, error);
  if (channel == NULL) {
    grpc_shutdown();
    return NULL;
  }
  struct annals_client *client = g_new0(struct annals_client, 1);
  client->channel = channel;
  client->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT;
  client->token = g_strdup(options->token);
  client->token_file = g_strdup(options->token_file);
  return client;
}

void annals_client_close(struct annals_client *client) {
  if (client == NULL) {
    return;
  }
  grpc_channel_destroy(client->channel);
  grpc_shutdown();
  annals_client_authorization_free(client->token);
  g_free(client->token_file);
  g_free(client);
}

/* A queue of its own for each call: no thread ever takes another's event. */
static bool call_init(struct call *call, struct annals_client *client, const char *path,
                      struct annals_buffer *request, GError **error) {
  g_autoptr(GError) why = NULL;
  memset(call, 0, sizeof *call);
  call->authorization = annals_client_authorization(client->token, client->token_file, &why);
  if (why != NULL) {
    annals_buffer_clear(request);
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
  }
  call->queue = grpc_completion_queue_create_for_next(NULL);
  gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                       gpr_time_from_millis(client->timeout_ms, GPR_TIMESPAN));
  call->call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->queue,
                                        grpc_slice_from_static_string(path), NULL, deadline, NULL);
  size_t size;
  uint8_t *bytes = annals_buffer_steal(request, &size);
  grpc_slice slice = bytes != NULL ? grpc_slice_new_with_user_data(bytes, size, g_free, bytes)
                                   : grpc_empty_slice();
  call->request = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  grpc_metadata_array_init(&call->initial_metadata);
  grpc_metadata_array_init(&call->trailing_metadata);
  call->message = grpc_empty_slice();
  return true;
}

static void call_clear(struct call *call) {
  annals_client_authorization_free(call->authorization);
  grpc_slice_unref(call->message);
  grpc_metadata_array_destroy(&call->initial_metadata);
  grpc_metadata_array_destroy(&call->trailing_metadata);
  grpc_byte_buffer_destroy(call->request);
  if (call->response != NULL) {
    grpc_byte_buffer_destroy(call->response);
  }
  grpc_call_unref(call->call);
  grpc_completion_queue_shutdown(call->queue);
  gpr_timespec forever = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  while (grpc_completion_queue_next(call->queue, forever, NULL).type != GRPC_QUEUE_SHUTDOWN) {
  }
  grpc_completion_queue_destroy(call->queue);
}

/* One batch for the whole call: it completes when the status is there, at the latest at the
 * deadline. */
static void call_run(struct call *call) {
  grpc_op ops[6];
  memset(ops, 0, sizeof ops);
  grpc_metadata authorization = {
      .key = grpc_slice_from_static_string("authorization"),
      .value = grpc_empty_slice(),
  };
  ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
  if (call->authorization != NULL) {
    authorization.value = grpc_slice_from_copied_string(call->authorization);
    ops[0].data.send_initial_metadata.count = 1;
    ops[0].data.send_initial_metadata.metadata = &authorization;
  }
  ops[1].op = GRPC_OP_SEND_MESSAGE;
  ops[1].data.send_message.send_message = call->request;
  ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial_metadata;
  ops[4].op = GRPC_OP_RECV_MESSAGE;
  ops[4].data.recv_message.recv_message = &call->response;
  ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  ops[5].data.recv_status_on_client.trailing_metadata = &call->trailing_metadata;
  ops[5].data.recv_status_on_client.status = &call->status;
  ops[5].data.recv_status_on_client.status_details = &call->message;
  grpc_call_error result = grpc_call_start_batch(call->call, ops, G_N_ELEMENTS(ops), call, NULL);
  /* A batch that is refused is our bug, never the caller's or the network's fault. */
  g_assert(result == GRPC_CALL_OK);
  grpc_slice_unref(authorization.value);
  grpc_event event =
      grpc_completion_queue_next(call->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
  g_assert(event.type == GRPC_OP_COMPLETE && event.tag == call);
}

static void set_error(const struct call *call, GError **error) {
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

static bool take_response(struct call *call, struct annals_buffer *response, GError **error) {
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

bool annals_client_call(struct annals_client *client, const char *path,
                        struct annals_buffer *request, struct annals_buffer *response,
                        GError **error) {
  struct call call;
  if (!call_init(&call, client, path, request, error)) {
    return false;
  }
  call_run(&call);
  bool ok = call.status == GRPC_STATUS_OK;
  if (ok) {
    ok = take_response(&call, response, error);
  } else {
    set_error(&call, error);
  }
  call_clear(&call);
  return ok;
}
