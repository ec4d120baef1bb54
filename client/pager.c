#include "client/annals.h"

struct annals_client_pager {
  struct annals_client *client;
  struct annals_client_page_request request;
  struct annals_client_page *page; /* the current one */
  size_t event_index;              /* in page, of annals_client_pager_next_event() */
  bool ended;
};

struct annals_client_pager *annals_client_pager_new(
    struct annals_client *client, const struct annals_client_page_request *request) {
  struct annals_client_pager *pager = g_new0(struct annals_client_pager, 1);
  pager->client = client;
  pager->request = *request;
  pager->request.execution_arn = g_strdup(request->execution_arn);
  pager->request.next_token = g_strdup(request->next_token);
  return pager;
}

void annals_client_pager_free(struct annals_client_pager *pager) {
  if (pager == NULL) {
    return;
  }
  g_free((char *)pager->request.execution_arn);
  g_free((char *)pager->request.next_token);
  annals_client_page_free(pager->page);
  g_free(pager);
}

bool annals_client_pager_next(struct annals_client_pager *pager,
                              struct annals_client_page **ret_page, GError **error) {
  annals_client_page_free(g_steal_pointer(&pager->page));
  if (!pager->ended) {
    if (!annals_client_read_page(pager->client, &pager->request, &pager->page, error)) {
      return false;
    }
    g_free((char *)pager->request.next_token);
    pager->request.next_token = g_strdup(annals_client_page_next_token(pager->page));
    pager->ended = pager->request.next_token[0] == '\0';
  }
  *ret_page = pager->page;
  return true;
}

bool annals_client_pager_next_event(struct annals_client_pager *pager,
                                    const Annals__V1__HistoryEvent **ret_event, GError **error) {
  /* A page without events that has a next one is odd, and no end. */
  while (pager->page == NULL || pager->event_index == annals_client_page_event_count(pager->page)) {
    struct annals_client_page *page;
    if (!annals_client_pager_next(pager, &page, error)) {
      return false;
    }
    pager->event_index = 0;
    if (page == NULL) {
      *ret_event = NULL;
      return true;
    }
  }
  const Annals__V1__HistoryEvent *event =
      annals_client_page_event(pager->page, pager->event_index, error);
  if (event == NULL) {
    return false;
  }
  pager->event_index++;
  *ret_event = event;
  return true;
}
