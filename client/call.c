#include "client/call.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include "client/channel.h"
#include "client/core_call.h"
#include "client/error.h"
#include "client/retry.h"

enum { TIMEOUT_MS_DEFAULT = 60000, ATTEMPTS_MAX_DEFAULT = 5 };

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
  client->attempts_max = options->attempts_max > 0 ? options->attempts_max : ATTEMPTS_MAX_DEFAULT;
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

static bool try(struct annals_client *client, const struct annals_client_method *method,
                grpc_slice request, gpr_timespec deadline, struct annals_buffer *response,
                GError **error) {
  struct annals_client_core_call call;
  if (!annals_client_core_call_init(&call, client, method->path, &request, deadline, error)) {
    return false;
  }
  annals_client_core_call_start(&call, true, &call);
  /* It completes when the status is there, at the latest at the deadline. */
  grpc_event event =
      grpc_completion_queue_next(call.queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
  g_assert(event.type == GRPC_OP_COMPLETE);
  bool ok = call.status == GRPC_STATUS_OK;
  if (ok) {
    ok = annals_client_core_call_take(&call, response, error);
  } else {
    annals_client_core_call_set_error(&call, error);
  }
  annals_client_core_call_clear(&call);
  return ok;
}

bool annals_client_call(struct annals_client *client, const struct annals_client_method *method,
                        struct annals_buffer *request, struct annals_buffer *response,
                        GError **error) {
  grpc_slice slice = annals_client_core_slice(request);
  gint64 until_us = g_get_monotonic_time() + client->timeout_ms * 1000;
  gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                       gpr_time_from_millis(client->timeout_ms, GPR_TIMESPAN));
  bool ok;
  for (int attempt = 1;; attempt++) {
    GError *fault = NULL;
    ok = try(client, method, slice, deadline, response, &fault);
    if (ok) {
      break;
    }
    int64_t delay_ms;
    if (!method->repeatable || attempt >= client->attempts_max ||
        !annals_client_retry_delay(fault, attempt, &delay_ms) ||
        g_get_monotonic_time() + delay_ms * 1000 >= until_us) {
      g_propagate_error(error, fault);
      break;
    }
    g_error_free(fault);
    g_usleep((gulong)delay_ms * 1000);
  }
  grpc_slice_unref(slice);
  return ok;
}
