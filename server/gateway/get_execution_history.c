/* GetExecutionHistory: a page of a history, its events written as JSON straight from their bytes.
 */
#include "proto/aws_json.h"
#include "server/gateway/answer.h"
#include "server/gateway/operation.h"
#include "server/history/page.h"

static const char opening[] = "{\"events\":[";

struct state {
  struct annals_page page;
  size_t held_bytes; /* of the page's buffer */
};

static bool encode(const struct annals_page *page, const struct annals_frame *frame,
                   struct annals_buffer *out) {
  const struct annals_operation_run *run = page->owner;
  return annals_aws_json_append_event(annals_history_options(run->history)->schema, frame->event,
                                      frame->event_size, page->request.include_execution_data, out);
}

static bool hold(struct annals_page *page) {
  struct annals_operation_run *run = page->owner;
  struct state *state = run->state;
  return annals_answer_hold(run, &page->events, &state->held_bytes);
}

static const struct annals_page_format json = {
    .encoding = ANNALS_PAGE_JSON,
    .encode = encode,
    .opening = opening,
    .separator = ",",
};

static void on_page(struct annals_page *page) {
  struct annals_operation_run *run = page->owner;
  run->on_done(run);
}

static bool read_request(struct annals_operation_run *run, struct annals_page_request *ret_request,
                         GError **error) {
  const struct annals_request *from = &run->request;
  *ret_request = (struct annals_page_request){
      .principal = run->principal,
      .include_execution_data = true,
  };
  bool ok = annals_request_string(from, "executionArn", &ret_request->execution_arn, error) &&
            annals_request_integer(from, "maxResults", &ret_request->max_results, error) &&
            annals_request_boolean(from, "reverseOrder", &ret_request->reverse_order, error) &&
            annals_request_string(from, "nextToken", &ret_request->next_token, error) &&
            annals_request_boolean(from, "includeExecutionData",
                                   &ret_request->include_execution_data, error);
  run->subject = ret_request->execution_arn;
  return ok;
}

static enum annals_progress start(struct annals_operation_run *run) {
  struct state *state = g_new0(struct state, 1);
  struct annals_page *page = &state->page;
  run->state = state;
  page->format = &json;
  page->hold = hold;
  page->on_done = on_page;
  page->owner = run;
  if (!read_request(run, &page->request, &run->error)) {
    return ANNALS_DONE;
  }
  return annals_page_get(run->history, page);
}

static void finish(struct annals_operation_run *run) {
  struct annals_page *page = &((struct state *)run->state)->page;
  if (page->error != NULL) {
    run->error = g_steal_pointer(&page->error);
    return;
  }
  run->event_count = page->event_count;
  annals_answer_finish_page(run, &page->events, opening, page->event_count, page->next_token);
}

static void clear(struct annals_operation_run *run) {
  struct state *state = run->state;
  annals_page_clear(&state->page);
  g_free(state);
}

const struct annals_operation annals_operation_get_execution_history = {
    .name = "GetExecutionHistory",
    .start = start,
    .finish = finish,
    .clear = clear,
};
