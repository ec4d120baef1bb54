#include "proto/wire.h"
#include "server/history/backup.h"
#include "server/rpc/meter.h"
#include "server/rpc/methods.h"
#include "server/rpc/request.h"

enum {
  RESPONSE_BYTES_MAX = 128,
  TIMESTAMP_SECONDS = 1,
};

/* Field numbers of CreateBackupResponse. */
enum {
  BACKUP_ID = 1,
  CREATE_TIME,
  FILE_COUNT,
  SIZE_BYTES,
  COPIED_BYTES,
  LAST_SEQUENCE,
  DELETED_COUNT,
};

struct state {
  struct annals_rpc_backup_request request;
  struct annals_backup backup;
};

static void append_number(struct annals_buffer *out, uint32_t number, int64_t value) {
  if (value != 0) {
    annals_wire_append_varint(out, number, (uint64_t)value);
  }
}

static void reply(struct annals_rpc_call *call) {
  const struct annals_backup *backup = &((struct state *)call->state)->backup;
  if (backup->error != NULL) {
    annals_rpc_call_fail(call, backup->error);
    return;
  }
  annals_rpc_meter_backup(call, backup->backup.time_s, (int64_t)backup->backup.size_bytes);
  struct annals_buffer message;
  annals_buffer_init(&message, RESPONSE_BYTES_MAX);
  append_number(&message, BACKUP_ID, backup->backup.id);
  size_t start = message.len;
  append_number(&message, TIMESTAMP_SECONDS, backup->backup.time_s);
  annals_wire_wrap(&message, start, CREATE_TIME);
  append_number(&message, FILE_COUNT, backup->backup.file_count);
  append_number(&message, SIZE_BYTES, backup->backup.size_bytes);
  append_number(&message, COPIED_BYTES, backup->backup.copied_bytes);
  append_number(&message, LAST_SEQUENCE, backup->backup.last_sequence);
  append_number(&message, DELETED_COUNT, backup->backup.deleted_count);
  annals_rpc_call_reply(call, &message);
}

static void on_done(struct annals_backup *backup) {
  annals_rpc_call_wake(backup->owner);
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_backup_request_read(call->request, call->request_bytes, &state->request,
                                      &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  state->backup.owner = call;
  state->backup.on_done = on_done;
  state->backup.cancel = &call->cancel;
  state->backup.request.principal = call->caller.principal;
  state->backup.request.directory = state->request.directory;
  state->backup.request.keep = state->request.keep;
  if (annals_backup_run(call->history, &state->backup) == ANNALS_DONE) {
    reply(call);
  }
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_backup_clear(&state->backup);
  annals_rpc_backup_request_clear(&state->request);
}

const struct annals_rpc_method annals_rpc_create_backup = {
    .path = "/annals.v1.AdminService/CreateBackup",
    .state_bytes = sizeof(struct state),
    .start = start,
    .resume = reply,
    .release = release,
};
