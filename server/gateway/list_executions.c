/* ListExecutions: a page of the messages that gRPC answers, written as JSON. */
#include "proto/aws_json.h"
#include "server/gateway/answer.h"
#include "server/gateway/operation.h"
#include "server/history/execution_message.h"
#include "server/history/list.h"

static const char opening[] = "{\"executions\":[";

struct state {
  struct annals_list list;
  const struct annals_message *item_message;
  struct annals_buffer item; /* of one execution, between its record and JSON */
  size_t held_bytes;         /* of the list's buffer */
};

static bool encode(struct annals_list *list, const char *execution_arn,
                   const struct annals_execution *execution) {
  struct annals_operation_run *run = list->owner;
  struct state *state = run->state;
  annals_buffer_reset(&state->item);
  annals_execution_append_item(&state->item, execution_arn, execution);
  annals_answer_begin_item(&list->executions, opening, list->execution_count);
  return !state->item.failed &&
         annals_aws_json_append_message(state->item_message, state->item.data, state->item.len,
                                        &list->executions) &&
         annals_answer_hold(run, &list->executions, &state->held_bytes);
}

static void on_listed(struct annals_list *list) {
  struct annals_operation_run *run = list->owner;
  run->on_done(run);
}

static bool read_request(struct annals_operation_run *run, struct annals_list_request *ret_request,
                         GError **error) {
  const struct annals_request *from = &run->request;
  *ret_request = (struct annals_list_request){.principal = run->principal};
  bool ok =
      annals_request_string(from, "stateMachineArn", &ret_request->state_machine_arn, error) &&
      annals_request_string(from, "statusFilter", &ret_request->status_filter, error) &&
      annals_request_integer(from, "maxResults", &ret_request->max_results, error) &&
      annals_request_string(from, "nextToken", &ret_request->next_token, error) &&
      annals_request_string(from, "mapRunArn", &ret_request->map_run_arn, error) &&
      annals_request_string(from, "redriveFilter", &ret_request->redrive_filter, error);
  run->subject = ret_request->state_machine_arn != NULL ? ret_request->state_machine_arn
                                                        : ret_request->map_run_arn;
  return ok;
}

static enum annals_progress start(struct annals_operation_run *run) {
  struct state *state = g_new0(struct state, 1);
  struct annals_list *list = &state->list;
  run->state = state;
  list->encode = encode;
  list->on_done = on_listed;
  list->owner = run;
  state->item_message =
      annals_schema_message(annals_history_options(run->history)->schema, "ExecutionListItem");
  annals_buffer_init(&state->item, ANNALS_EXECUTION_ITEM_BYTES_MAX);
  if (!read_request(run, &list->request, &run->error)) {
    return ANNALS_DONE;
  }
  return annals_list_run(run->history, list);
}

static void finish(struct annals_operation_run *run) {
  struct annals_list *list = &((struct state *)run->state)->list;
  if (list->error != NULL) {
    run->error = g_steal_pointer(&list->error);
    return;
  }
  annals_answer_finish_page(run, &list->executions, opening, list->execution_count,
                            list->next_token);
}

static void clear(struct annals_operation_run *run) {
  struct state *state = run->state;
  annals_list_clear(&state->list);
  annals_buffer_clear(&state->item);
  g_free(state);
}

const struct annals_operation annals_operation_list_executions = {
    .name = "ListExecutions",
    .start = start,
    .finish = finish,
    .clear = clear,
};
