#include "server/rpc/admission.h"

#include "server/rpc/call_internal.h"
#include "server/rpc/server_internal.h"

enum {
  /* Room for a message whose size is not known yet: for all but the few that are refused anyway. */
  RESERVED_BYTES = 4 * 1024 * 1024,
  /* The core receives as much of any stream before it is asked to. */
  SMALL_BYTES = 64 * 1024,
  LOOK_US = 50000,
};

void annals_rpc_admission_init(struct annals_rpc_admission *admission, size_t bytes_max,
                               int receive_ms) {
  pthread_mutex_init(&admission->lock, NULL);
  admission->bytes_max = MAX(bytes_max, (size_t)RESERVED_BYTES);
  admission->receive_ms = receive_ms;
  admission->bytes = 0;
  g_queue_init(&admission->waiting);
  g_queue_init(&admission->receiving);
}

void annals_rpc_admission_clear(struct annals_rpc_admission *admission) {
  g_assert(admission->bytes == 0);
  g_assert(g_queue_is_empty(&admission->waiting) && g_queue_is_empty(&admission->receiving));
  pthread_mutex_destroy(&admission->lock);
}

/* --- with the lock held --- */

static void add(struct annals_rpc_admission *admission, gssize bytes) {
  g_atomic_pointer_add(&admission->bytes, bytes);
}

static bool has_room(struct annals_rpc_admission *admission, size_t bytes_max) {
  return (gsize)g_atomic_pointer_get(&admission->bytes) + RESERVED_BYTES <= bytes_max;
}

static GQueue *list_of(struct annals_rpc_admission *admission,
                       enum annals_rpc_admission_place place) {
  return place == ANNALS_RPC_WAITING ? &admission->waiting : &admission->receiving;
}

/* Takes a call from one place to another, with the room that belongs to it. */
static void move(struct annals_rpc_admission *admission, struct annals_rpc_call *call,
                 enum annals_rpc_admission_place to) {
  struct annals_rpc_admitted *admitted = &call->admitted;
  enum annals_rpc_admission_place from = admitted->place;
  if (from != ANNALS_RPC_OUT) {
    g_queue_unlink(list_of(admission, from), &admitted->link);
  }
  admitted->place = to;
  admitted->since_us = g_get_monotonic_time();
  if (to != ANNALS_RPC_OUT) {
    admitted->link.data = call;
    g_queue_push_tail_link(list_of(admission, to), &admitted->link);
  }
  g_atomic_int_add(&admission->waiting_count,
                   (to == ANNALS_RPC_WAITING) - (from == ANNALS_RPC_WAITING));
  add(admission, ((to == ANNALS_RPC_RECEIVING) - (from == ANNALS_RPC_RECEIVING)) * RESERVED_BYTES);
}

static struct annals_rpc_call *first(const GQueue *list) {
  return list->head != NULL ? list->head->data : NULL;
}

/* A call is woken with the lock held: so it is there, as it leaves a list before it ends. */
static void let_in(struct annals_rpc_admission *admission) {
  struct annals_rpc_call *call;
  while ((call = first(&admission->waiting)) != NULL && has_room(admission, admission->bytes_max)) {
    move(admission, call, ANNALS_RPC_RECEIVING);
    annals_rpc_call_wake_as(call, ANNALS_RPC_WOKEN_BY_ADMISSION);
  }
}

static bool is_older(const struct annals_rpc_call *call, gint64 now_us, gint64 ms) {
  return now_us - call->admitted.since_us >= ms * 1000;
}

/* Takes their room from streams that do not use it. */
static void drop_idle(struct annals_rpc_admission *admission, gint64 now_us) {
  GList *next;
  for (GList *link = admission->receiving.head; link != NULL; link = next) {
    struct annals_rpc_call *call = link->data;
    next = link->next;
    if (!is_older(call, now_us, ANNALS_RPC_ADMISSION_IDLE_MS)) {
      return;
    }
    if (annals_rpc_call_is_stream(call)) {
      move(admission, call, ANNALS_RPC_OUT);
    }
  }
}

/* Lets in those that have waited long enough. False: there is no more room for them either. */
static bool let_in_late(struct annals_rpc_admission *admission, gint64 now_us) {
  struct annals_rpc_call *call;
  while ((call = first(&admission->waiting)) != NULL &&
         is_older(call, now_us, ANNALS_RPC_ADMISSION_WAIT_MS)) {
    if (!has_room(admission, 2 * admission->bytes_max)) {
      return false;
    }
    move(admission, call, ANNALS_RPC_RECEIVING);
    annals_rpc_call_wake_as(call, ANNALS_RPC_WOKEN_BY_ADMISSION);
  }
  return true;
}

static void give_up_stalled(struct annals_rpc_admission *admission, gint64 now_us) {
  struct annals_rpc_call *call;
  while ((call = first(&admission->receiving)) != NULL &&
         is_older(call, now_us, admission->receive_ms)) {
    move(admission, call, ANNALS_RPC_OUT);
    annals_rpc_call_wake_as(call, ANNALS_RPC_WOKEN_TO_GIVE_UP);
  }
}

/* --- from outside --- */

bool annals_rpc_admission_pass(struct annals_rpc_admission *admission,
                               const struct annals_rpc_call *call) {
  return !call->admitted.large || (!annals_rpc_admission_has_waiting(admission) &&
                                   has_room(admission, admission->bytes_max));
}

bool annals_rpc_admission_enter(struct annals_rpc_admission *admission,
                                struct annals_rpc_call *call) {
  call->admitted.entered = true;
  pthread_mutex_lock(&admission->lock);
  bool entered = g_queue_is_empty(&admission->waiting) && has_room(admission, admission->bytes_max);
  move(admission, call, entered ? ANNALS_RPC_RECEIVING : ANNALS_RPC_WAITING);
  pthread_mutex_unlock(&admission->lock);
  return entered;
}

void annals_rpc_admission_arrive(struct annals_rpc_admission *admission,
                                 struct annals_rpc_call *call, size_t message_bytes) {
  struct annals_rpc_admitted *admitted = &call->admitted;
  admitted->large = message_bytes > SMALL_BYTES;
  admitted->message_bytes = 0;
  if (!admitted->large && !admitted->entered) {
    return;
  }
  admitted->message_bytes = MIN(message_bytes, (size_t)RESERVED_BYTES);
  admitted->bytes += admitted->message_bytes;
  admitted->entered = false;
  pthread_mutex_lock(&admission->lock);
  move(admission, call, ANNALS_RPC_OUT);
  add(admission, (gssize)admitted->message_bytes);
  let_in(admission);
  pthread_mutex_unlock(&admission->lock);
}

size_t annals_rpc_admission_keep(struct annals_rpc_call *call) {
  size_t bytes = call->admitted.message_bytes;
  call->admitted.message_bytes = 0;
  return bytes;
}

void annals_rpc_admission_give(struct annals_rpc_call *call, size_t bytes) {
  struct annals_rpc_admission *admission = annals_rpc_server_admission(call->server);
  g_assert(call->admitted.bytes >= bytes);
  if (bytes > 0) {
    call->admitted.bytes -= bytes;
    pthread_mutex_lock(&admission->lock);
    add(admission, -(gssize)bytes);
    let_in(admission);
    pthread_mutex_unlock(&admission->lock);
  }
}

enum annals_rpc_admission_place annals_rpc_admission_quit(struct annals_rpc_admission *admission,
                                                          struct annals_rpc_call *call) {
  if (!call->admitted.entered) {
    return ANNALS_RPC_OUT;
  }
  call->admitted.entered = false;
  pthread_mutex_lock(&admission->lock);
  enum annals_rpc_admission_place place = call->admitted.place;
  move(admission, call, ANNALS_RPC_OUT);
  let_in(admission);
  pthread_mutex_unlock(&admission->lock);
  return place;
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

void annals_rpc_admission_look(struct annals_rpc_admission *admission, gint64 now_us) {
  pthread_mutex_lock(&admission->lock);
  if (now_us - admission->looked_us >= LOOK_US) {
    admission->looked_us = now_us;
    drop_idle(admission, now_us);
    let_in(admission);
    if (!let_in_late(admission, now_us)) {
      give_up_stalled(admission, now_us);
      (void)let_in_late(admission, now_us);
    }
  }
  pthread_mutex_unlock(&admission->lock);
}
