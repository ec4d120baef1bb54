#include "client/call.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <string.h>

#include "client/error.h"

enum {
  TIMEOUT_MS_DEFAULT = 60000,
  /* gRPC's defaults, 1 s to 2 min, keep a client away from a server long after it is back. */
  RECONNECT_MS_FIRST = 200,
  RECONNECT_MS_MAX = 5000,
  PORT_MAX = 65535,
};

struct annals_client {
  grpc_channel *channel;
  int64_t timeout_ms;
};

/* All that one call holds. */
struct call {
  grpc_completion_queue *queue;
  grpc_call *call;
  grpc_byte_buffer *request;
  grpc_byte_buffer *response;
  grpc_metadata_array initial_metadata;
  grpc_metadata_array trailing_metadata;
  grpc_status_code status;
  grpc_slice message;
};

static bool endpoint_is_valid(const char *endpoint) {
  const char *colon = strrchr(endpoint, ':');
  guint64 port;
  if (colon == NULL || colon == endpoint || strpbrk(endpoint, "/ ") != NULL ||
      !g_ascii_string_to_unsigned(colon + 1, 10, 1, PORT_MAX, &port, NULL)) {
    return false;
  }
  bool bracketed = endpoint[0] == '[' && colon[-1] == ']';
  return bracketed || memchr(endpoint, ':', (size_t)(colon - endpoint)) == NULL;
}

static grpc_channel *channel_new(const char *endpoint, const char *user_agent) {
  grpc_arg args[] = {
      {GRPC_ARG_INTEGER,
       (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
       {.integer = ANNALS_CLIENT_RESPONSE_BYTES_MAX}},
      {GRPC_ARG_INTEGER, (char *)GRPC_ARG_ENABLE_HTTP_PROXY, {.integer = 0}},
      {GRPC_ARG_INTEGER, (char *)GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, {.integer = 1}},
      {GRPC_ARG_INTEGER,
       (char *)GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
       {.integer = RECONNECT_MS_FIRST}},
      {GRPC_ARG_INTEGER, (char *)GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, {.integer = RECONNECT_MS_MAX}},
      {GRPC_ARG_STRING, (char *)GRPC_ARG_PRIMARY_USER_AGENT_STRING, {.string = (char *)user_agent}},
  };
  grpc_channel_args channel_args = {.num_args = G_N_ELEMENTS(args), .args = args};
  grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
  grpc_channel *channel = grpc_channel_create(endpoint, credentials, &channel_args);
  grpc_channel_credentials_release(credentials);
  return channel;
}

struct annals_client *annals_client_open(const struct annals_client_options *options,
                                         GError **error) {
  static const struct annals_client_options defaults = {0};
  if (options == NULL) {
    options = &defaults;
  }
  const char *endpoint =
      options->endpoint != NULL ? options->endpoint : ANNALS_CLIENT_ENDPOINT_DEFAULT;
  if (!endpoint_is_valid(endpoint)) {
    annals_client_error_set(error, ANNALS_CLIENT_INVALID_ARGUMENT, "",
                            "endpoint '%s' is not HOST:PORT", endpoint);
    return NULL;
  }
  grpc_init();
  struct annals_client *client = g_new0(struct annals_client, 1);
  client->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT;
  client->channel =
      channel_new(endpoint, options->user_agent != NULL ? options->user_agent : "annals-c");
  return client;
}

void annals_client_close(struct annals_client *client) {
  if (client == NULL) {
    return;
  }
  grpc_channel_destroy(client->channel);
  grpc_shutdown();
  g_free(client);
}

/* A queue of its own for each call: no thread ever takes another's event. */
static void call_init(struct call *call, struct annals_client *client, const char *path,
                      struct annals_buffer *request) {
  memset(call, 0, sizeof *call);
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
}

static void call_clear(struct call *call) {
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
  ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
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
  call_init(&call, client, path, request);
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
