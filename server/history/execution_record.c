#include "server/history/execution_record.h"

#include "annals/internal/v1/execution_record.pb-c.h"

G_STATIC_ASSERT((int)ANNALS_STATUS_RUNNING ==
                (int)ANNALS__INTERNAL__V1__EXECUTION_STATUS__EXECUTION_STATUS_RUNNING);
G_STATIC_ASSERT((int)ANNALS_STATUS_ABORTED ==
                (int)ANNALS__INTERNAL__V1__EXECUTION_STATUS__EXECUTION_STATUS_ABORTED);

/* What every record has; the rest may be absent. */
static bool is_whole(const Annals__Internal__V1__ExecutionRecord *message) {
  return message->status >= (int)ANNALS_STATUS_RUNNING &&
         message->status <= (int)ANNALS_STATUS_ABORTED && message->start_time != NULL;
}

bool annals_execution_read(GBytes *record, struct annals_execution *ret_execution) {
  gsize size;
  const uint8_t *bytes = g_bytes_get_data(record, &size);
  Annals__Internal__V1__ExecutionRecord *message =
      annals__internal__v1__execution_record__unpack(NULL, size, bytes);
  if (message == NULL || !is_whole(message)) {
    annals__internal__v1__execution_record__free_unpacked(message, NULL);
    return false;
  }
  *ret_execution = (struct annals_execution){
      .status = (enum annals_status)message->status,
      .start_seconds = message->start_time->seconds,
      .start_nanos = message->start_time->nanos,
      .stopped = message->stop_time != NULL,
      .stop_event_id = message->stop_event_id,
      .state_machine_arn = g_strdup(message->state_machine_arn),
      .state_machine_version_arn = g_strdup(message->state_machine_version_arn),
      .state_machine_alias_arn = g_strdup(message->state_machine_alias_arn),
      .map_run_arn = g_strdup(message->map_run_arn),
      .item_count = message->item_count,
      .trace_header = g_strdup(message->trace_header),
      .redrive_count = message->redrive_count,
      .kms_key_id = g_strdup(message->kms_key_id),
      .reuse_seconds = message->kms_data_key_reuse_period_seconds,
  };
  if (message->stop_time != NULL) {
    ret_execution->stop_seconds = message->stop_time->seconds;
    ret_execution->stop_nanos = message->stop_time->nanos;
  }
  if (message->redrive_time != NULL) {
    ret_execution->redrive_seconds = message->redrive_time->seconds;
    ret_execution->redrive_nanos = message->redrive_time->nanos;
  }
  annals__internal__v1__execution_record__free_unpacked(message, NULL);
  return true;
}

static void set_time(Google__Protobuf__Timestamp *time, int64_t seconds, int32_t nanos) {
  google__protobuf__timestamp__init(time);
  time->seconds = seconds;
  time->nanos = nanos;
}

uint8_t *annals_execution_write(const struct annals_execution *execution, size_t *ret_size) {
  Google__Protobuf__Timestamp start;
  Google__Protobuf__Timestamp stop;
  Google__Protobuf__Timestamp redrive;
  set_time(&start, execution->start_seconds, execution->start_nanos);
  set_time(&stop, execution->stop_seconds, execution->stop_nanos);
  set_time(&redrive, execution->redrive_seconds, execution->redrive_nanos);
  Annals__Internal__V1__ExecutionRecord message = ANNALS__INTERNAL__V1__EXECUTION_RECORD__INIT;
  message.status = (Annals__Internal__V1__ExecutionStatus)execution->status;
  message.start_time = &start;
  message.stop_time = execution->stopped ? &stop : NULL;
  message.stop_event_id = execution->stop_event_id;
  message.state_machine_arn = execution->state_machine_arn;
  message.state_machine_version_arn = execution->state_machine_version_arn;
  message.state_machine_alias_arn = execution->state_machine_alias_arn;
  message.map_run_arn = execution->map_run_arn;
  message.item_count = execution->item_count;
  message.trace_header = execution->trace_header;
  message.redrive_count = execution->redrive_count;
  message.kms_key_id = execution->kms_key_id;
  message.kms_data_key_reuse_period_seconds = execution->reuse_seconds;
  message.redrive_time = execution->redrive_count > 0 ? &redrive : NULL;
  uint8_t *bytes = g_malloc(annals__internal__v1__execution_record__get_packed_size(&message));
  *ret_size = annals__internal__v1__execution_record__pack(&message, bytes);
  return bytes;
}

void annals_execution_apply(struct annals_execution *execution,
                            const struct annals_status_change *change) {
  execution->status = change->status;
  execution->stopped = change->status != ANNALS_STATUS_RUNNING;
  execution->stop_seconds = execution->stopped ? change->seconds : 0;
  execution->stop_nanos = execution->stopped ? change->nanos : 0;
  execution->stop_event_id = execution->stopped ? change->event_id : 0;
  if (change->redrive) {
    execution->redrive_count++;
    execution->redrive_seconds = change->seconds;
    execution->redrive_nanos = change->nanos;
  }
}

void annals_execution_clear(struct annals_execution *execution) {
  g_free(execution->state_machine_arn);
  g_free(execution->state_machine_version_arn);
  g_free(execution->state_machine_alias_arn);
  g_free(execution->map_run_arn);
  g_free(execution->trace_header);
  g_free(execution->kms_key_id);
  *execution = (struct annals_execution){0};
}
