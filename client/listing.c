#include "client/annals.h"
#include "client/exchange.h"

static const struct annals_client_method method = {
    .path = "/annals.v1.HistoryService/ListExecutions",
    .repeatable = true,
};

struct annals_client_listing {
  struct annals_client_items items;
};

void annals_client_listing_free(struct annals_client_listing *listing) {
  if (listing != NULL) {
    annals_client_items_clear(&listing->items);
    g_free(listing);
  }
}

bool annals_client_list(struct annals_client *client,
                        const struct annals_client_list_request *request,
                        struct annals_client_listing **ret_listing, GError **error) {
  Annals__V1__ListExecutionsRequest message = ANNALS__V1__LIST_EXECUTIONS_REQUEST__INIT;
  message.state_machine_arn = annals_client_text(request->state_machine_arn);
  message.status_filter = request->status_filter;
  message.max_results = request->max_results;
  message.next_token = annals_client_text(request->next_token);
  message.map_run_arn = annals_client_text(request->map_run_arn);
  message.redrive_filter = request->redrive_filter;
  struct annals_client_listing *listing = g_new0(struct annals_client_listing, 1);
  annals_client_items_init(&listing->items);
  bool ok = annals_client_exchange(client, &method, &message.base, &listing->items.bytes, error) &&
            annals_client_items_parse(&listing->items, "ListExecutionsResponse", error);
  if (ok) {
    *ret_listing = g_steal_pointer(&listing);
  }
  annals_client_listing_free(listing);
  return ok;
}

size_t annals_client_listing_execution_count(const struct annals_client_listing *listing) {
  return listing->items.views->len;
}

struct annals_client_bytes annals_client_listing_execution_bytes(
    const struct annals_client_listing *listing, size_t index) {
  return annals_client_items_bytes(&listing->items, index);
}

const Annals__V1__ExecutionListItem *annals_client_listing_execution(
    struct annals_client_listing *listing, size_t index, GError **error) {
  return (const Annals__V1__ExecutionListItem *)annals_client_items_message(
      &listing->items, index, &annals__v1__execution_list_item__descriptor, error);
}

const char *annals_client_listing_next_token(const struct annals_client_listing *listing) {
  return listing->items.next_token;
}
