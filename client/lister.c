#include "client/annals.h"

struct annals_client_lister {
  struct annals_client *client;
  struct annals_client_list_request request;
  struct annals_client_listing *listing; /* the current one */
  size_t execution_index;                /* in listing, of annals_client_lister_next_execution() */
  bool ended;
};

struct annals_client_lister *annals_client_lister_new(
    struct annals_client *client, const struct annals_client_list_request *request) {
  struct annals_client_lister *lister = g_new0(struct annals_client_lister, 1);
  lister->client = client;
  lister->request = *request;
  lister->request.state_machine_arn = g_strdup(request->state_machine_arn);
  lister->request.map_run_arn = g_strdup(request->map_run_arn);
  lister->request.next_token = g_strdup(request->next_token);
  return lister;
}

void annals_client_lister_free(struct annals_client_lister *lister) {
  if (lister == NULL) {
    return;
  }
  g_free((char *)lister->request.state_machine_arn);
  g_free((char *)lister->request.map_run_arn);
  g_free((char *)lister->request.next_token);
  annals_client_listing_free(lister->listing);
  g_free(lister);
}

bool annals_client_lister_next(struct annals_client_lister *lister,
                               struct annals_client_listing **ret_listing, GError **error) {
  annals_client_listing_free(g_steal_pointer(&lister->listing));
  if (!lister->ended) {
    if (!annals_client_list(lister->client, &lister->request, &lister->listing, error)) {
      return false;
    }
    g_free((char *)lister->request.next_token);
    lister->request.next_token = g_strdup(annals_client_listing_next_token(lister->listing));
    lister->ended = lister->request.next_token[0] == '\0';
  }
  *ret_listing = lister->listing;
  return true;
}

bool annals_client_lister_next_execution(struct annals_client_lister *lister,
                                         const Annals__V1__ExecutionListItem **ret_execution,
                                         GError **error) {
  while (lister->listing == NULL ||
         lister->execution_index == annals_client_listing_execution_count(lister->listing)) {
    struct annals_client_listing *listing;
    if (!annals_client_lister_next(lister, &listing, error)) {
      return false;
    }
    lister->execution_index = 0;
    if (listing == NULL) {
      *ret_execution = NULL;
      return true;
    }
  }
  const Annals__V1__ExecutionListItem *execution =
      annals_client_listing_execution(lister->listing, lister->execution_index, error);
  if (execution == NULL) {
    return false;
  }
  lister->execution_index++;
  *ret_execution = execution;
  return true;
}
