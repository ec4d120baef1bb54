/* GetExecutionHistory: a page of a history, its events written as JSON straight from their bytes.
 */
#include <string.h>

#include "proto/aws_json.h"
#include "server/gateway/operation.h"
#include "server/history/error.h"
#include "server/history/page.h"

static const char opening[] = "{\"events\":[";

struct state {
  struct annals_page page;
  size_t held_bytes; /* of the page's buffer */
};

/* Many pages may be waiting for the disk, half made: each is counted as it grows. */
static bool hold(struct annals_operation_run *run, struct annals_buffer *events) {
  struct state *state = run->state;
  size_t more = events->cap - state->held_bytes;
  if (more == 0) {
    return true;
  }
  if (!run->hold(run, more)) {
    events->failed = true;
    return false;
  }
  state->held_bytes += more;
  return true;
}

static bool encode(struct annals_page *page, const struct annals_frame *frame) {
  struct annals_operation_run *run = page->owner;
  annals_buffer_append_text(&page->events, page->event_count == 0 ? opening : ",");
  return annals_aws_json_append_event(annals_history_options(run->history)->schema, frame->event,
                                      frame->event_size, page->request.include_execution_data,
                                      &page->events) &&
         hold(run, &page->events);
}

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
  run->execution_arn = ret_request->execution_arn;
  return ok;
}

static enum annals_progress start(struct annals_operation_run *run) {
  struct state *state = g_new0(struct state, 1);
  struct annals_page *page = &state->page;
  run->state = state;
  page->encode = encode;
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
  struct annals_buffer *out = &page->events;
  if (page->event_count == 0) {
    annals_buffer_append_text(out, opening);
  }
  annals_buffer_append_byte(out, ']');
  if (page->next_token != NULL) {
    annals_buffer_append_text(out, ",\"nextToken\":");
    annals_aws_json_append_string(out, page->next_token, strlen(page->next_token));
  }
  annals_buffer_append_byte(out, '}');
  if (out->failed) {
    run->error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for the page");
    return;
  }
  run->answer = *out; /* no copy: it leaves as it is */
  annals_buffer_init(out, out->max);
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
