#include "server/history/execution_message.h"

#include "annals/v1/history_service.pb-c.h"
#include "server/history/arn.h"

G_STATIC_ASSERT((int)ANNALS_STATUS_RUNNING ==
                (int)ANNALS__V1__EXECUTION_STATUS__EXECUTION_STATUS_RUNNING);
G_STATIC_ASSERT((int)ANNALS_STATUS_ABORTED ==
                (int)ANNALS__V1__EXECUTION_STATUS__EXECUTION_STATUS_ABORTED);
G_STATIC_ASSERT(
    (int)ANNALS_REDRIVE_STATUS_REDRIVABLE_BY_MAP_RUN ==
    (int)ANNALS__V1__EXECUTION_REDRIVE_STATUS__EXECUTION_REDRIVE_STATUS_REDRIVABLE_BY_MAP_RUN);

struct times {
  Google__Protobuf__Timestamp start;
  Google__Protobuf__Timestamp stop;
  Google__Protobuf__Timestamp redrive;
};

static void set_time(Google__Protobuf__Timestamp *time, int64_t seconds, int32_t nanos) {
  google__protobuf__timestamp__init(time);
  time->seconds = seconds;
  time->nanos = nanos;
}

static void set_times(struct times *times, const struct annals_execution *execution) {
  set_time(&times->start, execution->start_seconds, execution->start_nanos);
  set_time(&times->stop, execution->stop_seconds, execution->stop_nanos);
  set_time(&times->redrive, execution->redrive_seconds, execution->redrive_nanos);
}

static void append_packed(struct annals_buffer *out, const ProtobufCMessage *message) {
  size_t size = protobuf_c_message_get_packed_size(message);
  uint8_t *to = annals_buffer_reserve(out, size);
  if (to != NULL) {
    out->len += protobuf_c_message_pack(message, to);
  }
}

/* protobuf-c has no const; packing only reads. */
static char *text_of(const char *text) {
  return (char *)(text != NULL ? text : "");
}

void annals_execution_append_item(struct annals_buffer *out, const char *execution_arn,
                                  const struct annals_execution *execution) {
  struct times times;
  set_times(&times, execution);
  Annals__V1__ExecutionListItem item = ANNALS__V1__EXECUTION_LIST_ITEM__INIT;
  item.execution_arn = text_of(execution_arn);
  item.state_machine_arn = execution->state_machine_arn;
  item.name = text_of(annals_execution_arn_name(execution_arn));
  item.status = (Annals__V1__ExecutionStatus)execution->status;
  item.start_date = &times.start;
  item.stop_date = execution->stopped ? &times.stop : NULL;
  item.map_run_arn = execution->map_run_arn;
  item.item_count = execution->item_count;
  item.state_machine_version_arn = execution->state_machine_version_arn;
  item.state_machine_alias_arn = execution->state_machine_alias_arn;
  item.redrive_count = execution->redrive_count;
  item.redrive_date = execution->redrive_count > 0 ? &times.redrive : NULL;
  append_packed(out, &item.base);
}

void annals_execution_append_description(struct annals_buffer *out,
                                         const struct annals_describe *describe) {
  const struct annals_execution *execution = &describe->execution;
  struct times times;
  set_times(&times, execution);
  Annals__V1__CloudWatchEventsExecutionDataDetails included =
      ANNALS__V1__CLOUD_WATCH_EVENTS_EXECUTION_DATA_DETAILS__INIT;
  included.included = true;
  Annals__V1__DescribeExecutionResponse message = ANNALS__V1__DESCRIBE_EXECUTION_RESPONSE__INIT;
  message.execution_arn = text_of(describe->request.execution_arn);
  message.state_machine_arn = execution->state_machine_arn;
  message.name = text_of(describe->name);
  message.status = (Annals__V1__ExecutionStatus)execution->status;
  message.start_date = &times.start;
  message.stop_date = execution->stopped ? &times.stop : NULL;
  message.input = text_of(describe->input);
  message.input_details = describe->input != NULL ? &included : NULL;
  message.output = text_of(describe->output);
  message.output_details = describe->output != NULL ? &included : NULL;
  message.trace_header = execution->trace_header;
  message.map_run_arn = execution->map_run_arn;
  message.error = text_of(describe->failure_error);
  message.cause = text_of(describe->failure_cause);
  message.state_machine_version_arn = execution->state_machine_version_arn;
  message.state_machine_alias_arn = execution->state_machine_alias_arn;
  message.redrive_count = execution->redrive_count;
  message.redrive_date = execution->redrive_count > 0 ? &times.redrive : NULL;
  message.redrive_status = (Annals__V1__ExecutionRedriveStatus)describe->redrive_status;
  message.redrive_status_reason = text_of(describe->redrive_status_reason);
  append_packed(out, &message.base);
}

void annals_execution_append_own(struct annals_buffer *out,
                                 const struct annals_describe *describe) {
  const struct annals_execution *execution = &describe->execution;
  Annals__V1__EncryptionConfiguration encryption = ANNALS__V1__ENCRYPTION_CONFIGURATION__INIT;
  encryption.type = ANNALS__V1__ENCRYPTION_TYPE__ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY;
  encryption.kms_key_id = execution->kms_key_id;
  encryption.kms_data_key_reuse_period_seconds = execution->reuse_seconds;
  Annals__V1__DescribeExecutionResponse message = ANNALS__V1__DESCRIBE_EXECUTION_RESPONSE__INIT;
  message.item_count = execution->item_count;
  message.encryption_configuration = *execution->kms_key_id != '\0' ? &encryption : NULL;
  append_packed(out, &message.base);
}
