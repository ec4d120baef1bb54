#include <string.h>

#include "proto/execution_data.h"
#include "proto/wire.h"
#include "server/history/page.h"
#include "server/rpc/methods.h"
#include "server/rpc/page_reply.h"
#include "server/rpc/request.h"

enum { FIELD_EVENTS = 1, FIELD_NEXT_TOKEN = 2 };

struct state {
  struct annals_rpc_page_request request;
  struct annals_page page;
};

static bool encode_without_data(const struct annals_page *page, const struct annals_frame *frame,
                                struct annals_buffer *out) {
  const struct annals_rpc_call *call = page->owner;
  size_t start = out->len;
  if (!annals_execution_data_strip(annals_history_options(call->history)->schema, frame->event,
                                   frame->event_size, out)) {
    return false;
  }
  annals_wire_wrap(out, start, FIELD_EVENTS);
  return !out->failed;
}

/* A frame is the field `events` of the response as it stands. */
static const struct annals_page_format with_data = {.encoding = ANNALS_PAGE_WIRE};
static const struct annals_page_format without_data = {
    .encoding = ANNALS_PAGE_WIRE,
    .encode = encode_without_data,
};

static void reply(struct annals_rpc_call *call) {
  struct annals_page *page = &((struct state *)call->state)->page;
  if (page->error != NULL) {
    annals_rpc_call_fail(call, page->error);
    return;
  }
  annals_series_add(call->meter->events_read, page->event_count);
  if (page->next_token != NULL) {
    annals_wire_append_bytes(&page->events, FIELD_NEXT_TOKEN, page->next_token,
                             strlen(page->next_token));
  }
  annals_rpc_page_reply(call, page);
}

static void on_done(struct annals_page *page) {
  annals_rpc_call_wake(page->owner);
}

static void start(struct annals_rpc_call *call) {
  struct state *state = call->state;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_page_request_read(call->request, call->request_bytes, &state->request, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  call->subject = state->request.execution_arn;
  annals_rpc_call_release_request(call); /* its texts have been copied */
  state->page.owner = call;
  state->page.on_done = on_done;
  state->page.format = state->request.include_execution_data ? &with_data : &without_data;
  state->page.shares = true;
  state->page.request = (struct annals_page_request){
      .principal = call->caller.principal,
      .execution_arn = state->request.execution_arn,
      .max_results = state->request.max_results,
      .next_token = state->request.next_token,
      .reverse_order = state->request.reverse_order,
      .include_execution_data = state->request.include_execution_data,
  };
  state->page.cancel = &call->cancel;
  if (annals_page_get(call->history, &state->page) == ANNALS_DONE) {
    reply(call);
  }
}

static void release(struct annals_rpc_call *call) {
  struct state *state = call->state;
  annals_page_clear(&state->page);
  annals_rpc_page_request_clear(&state->request);
}

const struct annals_rpc_method annals_rpc_get_execution_history = {
    .path = "/annals.v1.HistoryService/GetExecutionHistory",
    .state_bytes = sizeof(struct state),
    .start = start,
    .resume = reply,
    .release = release,
};
