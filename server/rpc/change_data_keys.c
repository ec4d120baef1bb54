#include "proto/wire.h"
#include "server/history/rekey.h"
#include "server/ops/log.h"
#include "server/rpc/methods.h"
#include "server/rpc/request.h"

enum { RESPONSE_BYTES_MAX = 32, FIELD_DATA_KEY_COUNT = 1 };

struct state {
  char *execution_arn;
  struct annals_rekey rekey;
};

/* Who did it is told, also where it came to an end midway. */
static void log_change(const struct annals_rpc_call *call, const struct annals_rekey *rekey) {
  const char *principal = call->caller.principal != NULL ? call->caller.principal->name : "";
  if (rekey->key_count > 0) {
    annals_log_info(rekey->request.destroy ? "data keys destroyed" : "data keys rewrapped",
                    ANNALS_LOG_TEXT("execution_arn", rekey->request.execution_arn),
                    ANNALS_LOG_TEXT("principal", principal),
                    ANNALS_LOG_NUMBER("data_keys", rekey->key_count));
  }
}

static void reply(struct annals_rpc_call *call) {
  const struct annals_rekey *rekey = &((struct state *)call->state)->rekey;
  log_change(call, rekey);
  if (rekey->error != NULL) {
    annals_rpc_call_fail(call, rekey->error);
    return;
  }
  struct annals_buffer message;
  annals_buffer_init(&message, RESPONSE_BYTES_MAX);
  if (rekey->key_count > 0) {
    annals_wire_append_varint(&message, FIELD_DATA_KEY_COUNT, (uint64_t)rekey->key_count);
  }
  annals_rpc_call_reply(call, &message);
}

static void on_done(struct annals_rekey *rekey) {
  annals_rpc_call_wake(rekey->owner);
}

static void start(struct annals_rpc_call *call, bool destroy) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_delete_request_read(call->request, call->request_bytes, &state->execution_arn,
                                      &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->subject = state->execution_arn;
  annals_rpc_call_release_request(call); /* its text has been copied */
  state->rekey.owner = call;
  state->rekey.on_done = on_done;
  state->rekey.cancel = &call->cancel;
  state->rekey.request = (struct annals_rekey_request){
      .principal = call->caller.principal,
      .execution_arn = state->execution_arn,
      .destroy = destroy,
  };
  if (annals_rekey_run(call->history, &state->rekey) == ANNALS_DONE) {
    reply(call);
  }
}

static void start_rewrap(struct annals_rpc_call *call) {
  start(call, false);
}

static void start_destroy(struct annals_rpc_call *call) {
  start(call, true);
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_rekey_clear(&state->rekey);
  g_free(state->execution_arn);
}

const struct annals_rpc_method annals_rpc_rewrap_data_keys = {
    .path = "/annals.v1.AdminService/RewrapDataKeys",
    .state_bytes = sizeof(struct state),
    .start = start_rewrap,
    .resume = reply,
    .release = release,
};

const struct annals_rpc_method annals_rpc_destroy_data_keys = {
    .path = "/annals.v1.AdminService/DestroyDataKeys",
    .state_bytes = sizeof(struct state),
    .start = start_destroy,
    .resume = reply,
    .release = release,
};
