#include "annals/v1/history_service.pb-c.h"
#include "client/annals.h"
#include "client/exchange.h"

static const struct annals_client_method method = {
    .path = "/annals.v1.HistoryService/GetExecutionHistory",
    .repeatable = true,
};

struct annals_client_page {
  struct annals_client_items items;
};

void annals_client_page_free(struct annals_client_page *page) {
  if (page != NULL) {
    annals_client_items_clear(&page->items);
    g_free(page);
  }
}

bool annals_client_read_page(struct annals_client *client,
                             const struct annals_client_page_request *request,
                             struct annals_client_page **ret_page, GError **error) {
  Annals__V1__GetExecutionHistoryRequest message = ANNALS__V1__GET_EXECUTION_HISTORY_REQUEST__INIT;
  Google__Protobuf__BoolValue include = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;
  message.execution_arn = annals_client_text(request->execution_arn);
  message.max_results = request->max_results;
  message.next_token = annals_client_text(request->next_token);
  message.reverse_order = request->reverse_order;
  message.include_execution_data = request->without_execution_data ? &include : NULL;
  struct annals_client_page *page = g_new0(struct annals_client_page, 1);
  annals_client_items_init(&page->items);
  bool ok = annals_client_exchange(client, &method, &message.base, &page->items.bytes, error) &&
            annals_client_items_parse(&page->items, "GetExecutionHistoryResponse", error);
  if (ok) {
    *ret_page = g_steal_pointer(&page);
  }
  annals_client_page_free(page);
  return ok;
}

size_t annals_client_page_event_count(const struct annals_client_page *page) {
  return page->items.views->len;
}

struct annals_client_event annals_client_page_event_bytes(const struct annals_client_page *page,
                                                          size_t index) {
  struct annals_client_bytes bytes = annals_client_items_bytes(&page->items, index);
  return (struct annals_client_event){bytes.data, bytes.size};
}

const Annals__V1__HistoryEvent *annals_client_page_event(struct annals_client_page *page,
                                                         size_t index, GError **error) {
  return (const Annals__V1__HistoryEvent *)annals_client_items_message(
      &page->items, index, &annals__v1__history_event__descriptor, error);
}

const char *annals_client_page_next_token(const struct annals_client_page *page) {
  return page->items.next_token;
}
