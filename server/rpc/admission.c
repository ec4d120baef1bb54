#include "server/rpc/admission.h"

#include "server/rpc/call.h"
#include "server/rpc/server_internal.h"

void annals_rpc_admission_init(struct annals_rpc_admission *admission, size_t bytes_max) {
  pthread_mutex_init(&admission->lock, NULL);
  admission->bytes_max = bytes_max;
  admission->bytes = 0;
  g_queue_init(&admission->waiting);
}

void annals_rpc_admission_clear(struct annals_rpc_admission *admission) {
  g_assert(admission->bytes == 0 && g_queue_is_empty(&admission->waiting));
  pthread_mutex_destroy(&admission->lock);
}

static bool take(struct annals_rpc_admission *admission, size_t bytes) {
  if (admission->bytes + bytes > admission->bytes_max) {
    return false;
  }
  admission->bytes += bytes;
  return true;
}

bool annals_rpc_admission_enter(struct annals_rpc_admission *admission,
                                struct annals_rpc_call *call, size_t bytes) {
  pthread_mutex_lock(&admission->lock);
  bool entered = g_queue_is_empty(&admission->waiting) && take(admission, bytes);
  if (!entered) {
    g_queue_push_tail_link(&admission->waiting, &call->link);
    g_atomic_int_inc(&admission->waiting_count);
  }
  pthread_mutex_unlock(&admission->lock);
  return entered;
}

static struct annals_rpc_call *pop(struct annals_rpc_admission *admission) {
  g_atomic_int_add(&admission->waiting_count, -1);
  return g_queue_pop_head_link(&admission->waiting)->data;
}

/* A link that is in no list has no neighbours, and is not the only one in it either. */
static bool is_linked(const GQueue *list, const GList *link) {
  return link->prev != NULL || link->next != NULL || list->head == link;
}

bool annals_rpc_admission_quit(struct annals_rpc_admission *admission,
                               struct annals_rpc_call *call) {
  pthread_mutex_lock(&admission->lock);
  bool waits = is_linked(&admission->waiting, &call->link);
  if (waits) {
    g_queue_unlink(&admission->waiting, &call->link);
    g_atomic_int_add(&admission->waiting_count, -1);
  }
  pthread_mutex_unlock(&admission->lock);
  return waits;
}

struct annals_rpc_call *annals_rpc_admission_leave(struct annals_rpc_admission *admission,
                                                   size_t bytes, size_t wanted) {
  struct annals_rpc_call *next = NULL;
  pthread_mutex_lock(&admission->lock);
  admission->bytes -= bytes;
  if (!g_queue_is_empty(&admission->waiting) && take(admission, wanted)) {
    next = pop(admission);
  }
  pthread_mutex_unlock(&admission->lock);
  return next;
}

void annals_rpc_admission_load(struct annals_rpc_admission *admission,
                               struct annals_rpc_load *ret_load) {
  pthread_mutex_lock(&admission->lock);
  ret_load->admitted_bytes = admission->bytes;
  ret_load->admitted_bytes_max = admission->bytes_max;
  ret_load->admission_waiting = admission->waiting.length;
  pthread_mutex_unlock(&admission->lock);
}

bool annals_rpc_admission_has_waiting(struct annals_rpc_admission *admission) {
  return g_atomic_int_get(&admission->waiting_count) > 0;
}

struct annals_rpc_call *annals_rpc_admission_expire(struct annals_rpc_admission *admission,
                                                    gint64 now_us, size_t wanted) {
  const gint64 wait_us = (gint64)ANNALS_RPC_ADMISSION_WAIT_MS * 1000;
  struct annals_rpc_call *next = NULL;
  pthread_mutex_lock(&admission->lock);
  const struct annals_rpc_call *first = g_queue_peek_head(&admission->waiting);
  if (first != NULL && now_us - first->started_us >= wait_us) {
    admission->bytes += wanted;
    next = pop(admission);
  }
  pthread_mutex_unlock(&admission->lock);
  return next;
}
