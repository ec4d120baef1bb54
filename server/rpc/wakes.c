#include "server/rpc/wakes.h"

#include "server/rpc/call.h"

bool annals_rpc_wakes_push(struct annals_rpc_wakes *wakes, enum annals_rpc_wake_kind kind,
                           struct annals_rpc_call *call) {
  struct annals_rpc_wake_list *list = &wakes->lists[kind];
  g_atomic_int_inc(&call->refs);
  for (;;) {
    struct annals_rpc_call *next = g_atomic_pointer_get(&list->fresh);
    bool first = next == NULL;
    call->next_woken = next;
    /* Once it is on the list the thread may have done with it. */
    g_atomic_int_add(&call->refs, first);
    if (g_atomic_pointer_compare_and_exchange(&list->fresh, next, call)) {
      return first;
    }
    g_atomic_int_add(&call->refs, -first);
  }
}

/* Takes all that are fresh, and turns them round. */
static struct annals_rpc_call *take_fresh(struct annals_rpc_wake_list *list) {
  struct annals_rpc_call *call;
  do {
    call = g_atomic_pointer_get(&list->fresh);
  } while (!g_atomic_pointer_compare_and_exchange(&list->fresh, call, NULL));
  struct annals_rpc_call *turned = NULL;
  while (call != NULL) {
    struct annals_rpc_call *next = call->next_woken;
    call->next_woken = turned;
    turned = call;
    call = next;
  }
  return turned;
}

static struct annals_rpc_call *first(struct annals_rpc_wake_list *list) {
  if (list->due == NULL) {
    list->due = take_fresh(list);
  }
  return list->due;
}

struct annals_rpc_call *annals_rpc_wakes_pop(struct annals_rpc_wakes *wakes,
                                             enum annals_rpc_wake_kind kind) {
  struct annals_rpc_wake_list *list = &wakes->lists[kind];
  struct annals_rpc_call *call = first(list);
  if (call != NULL) {
    list->due = call->next_woken;
  }
  return call;
}

struct annals_rpc_call *annals_rpc_wakes_peek(struct annals_rpc_wakes *wakes) {
  for (int kind = 0; kind < ANNALS_RPC_WAKE_KINDS; kind++) {
    struct annals_rpc_call *call = first(&wakes->lists[kind]);
    if (call != NULL) {
      return call;
    }
  }
  return NULL;
}
