#include "server/rpc/admission.h"

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
  if (bytes > admission->bytes_max - admission->bytes) {
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
    g_queue_push_tail(&admission->waiting, call);
  }
  pthread_mutex_unlock(&admission->lock);
  return entered;
}

struct annals_rpc_call *annals_rpc_admission_leave(struct annals_rpc_admission *admission,
                                                   size_t bytes, size_t wanted) {
  struct annals_rpc_call *next = NULL;
  pthread_mutex_lock(&admission->lock);
  admission->bytes -= bytes;
  if (!g_queue_is_empty(&admission->waiting) && take(admission, wanted)) {
    next = g_queue_pop_head(&admission->waiting);
  }
  pthread_mutex_unlock(&admission->lock);
  return next;
}
