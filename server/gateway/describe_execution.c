/* DescribeExecution: the message that gRPC answers, written as JSON. */
#include "proto/aws_json.h"
#include "server/gateway/answer.h"
#include "server/gateway/operation.h"
#include "server/history/describe.h"
#include "server/history/execution_message.h"

enum {
  /* Each byte may be escaped as six. */
  TEXT_BYTES_MAX = 6 * ANNALS_EXECUTION_DESCRIPTION_BYTES_MAX,
};

static void on_described(struct annals_describe *describe) {
  struct annals_operation_run *run = describe->owner;
  run->on_done(run);
}

static bool read_request(struct annals_operation_run *run,
                         struct annals_describe_request *ret_request, GError **error) {
  const struct annals_request *from = &run->request;
  *ret_request = (struct annals_describe_request){.principal = run->principal};
  bool ok = annals_request_string(from, "executionArn", &ret_request->execution_arn, error) &&
            annals_request_string(from, "includedData", &ret_request->included_data, error);
  run->subject = ret_request->execution_arn;
  return ok;
}

static enum annals_progress start(struct annals_operation_run *run) {
  struct annals_describe *describe = g_new0(struct annals_describe, 1);
  run->state = describe;
  describe->on_done = on_described;
  describe->owner = run;
  if (!read_request(run, &describe->request, &run->error)) {
    return ANNALS_DONE;
  }
  return annals_describe_run(run->history, describe);
}

/* Writes the text by way of the message; without room for them, one of the two has failed. */
static bool write_text(struct annals_operation_run *run, struct annals_buffer *message,
                       struct annals_buffer *text) {
  const struct annals_schema *schema = annals_history_options(run->history)->schema;
  size_t message_held = 0;
  size_t text_held = 0;
  annals_execution_append_description(message, run->state);
  return annals_answer_hold(run, message, &message_held) && !message->failed &&
         annals_aws_json_append_message(annals_schema_message(schema, "DescribeExecutionResponse"),
                                        message->data, message->len, text) &&
         annals_answer_hold(run, text, &text_held);
}

static void finish(struct annals_operation_run *run) {
  struct annals_describe *describe = run->state;
  if (describe->error != NULL) {
    run->error = g_steal_pointer(&describe->error);
    return;
  }
  struct annals_buffer message;
  struct annals_buffer text;
  annals_buffer_init(&message, ANNALS_EXECUTION_DESCRIPTION_BYTES_MAX);
  annals_buffer_init(&text, TEXT_BYTES_MAX);
  bool ok = write_text(run, &message, &text);
  text.failed = text.failed || message.failed;
  if (!ok && !text.failed) {
    run->error = annals_history_damage_error("the execution's record");
  } else {
    annals_answer_finish(run, &text);
  }
  annals_buffer_clear(&message);
  annals_buffer_clear(&text);
}

static void clear(struct annals_operation_run *run) {
  annals_describe_clear(run->state);
  g_free(run->state);
}

const struct annals_operation annals_operation_describe_execution = {
    .name = "DescribeExecution",
    .start = start,
    .finish = finish,
    .clear = clear,
};
