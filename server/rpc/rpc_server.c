#include "server/rpc/rpc_server.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "server/rpc/call_internal.h"
#include "server/rpc/core.h"
#include "server/rpc/descriptors.h"
#include "server/rpc/health.h"
#include "server/rpc/heartbeat.h"
#include "server/rpc/meter.h"
#include "server/rpc/methods.h"
#include "server/rpc/server_internal.h"
#include "server/rpc/wakes.h"

enum {
  METHODS_MAX = 16,
  THREADS_MAX = 16,
  /* Calls that may arrive at one queue before its thread gets to post a slot again; more of them
   * wait in the core. A core that was built with its assertions, as Debian's was, looks through all
   * tags that are outstanding on a queue at each event: 64 slots of each method took a tenth of the
   * instructions of an append. */
  SLOTS_PER_METHOD = 8,
  SLOTS_PER_STANDARD_METHOD = 2,
  /* For clients to see from their calls that they should go elsewhere. What comes in behind the
   * core's own shutdown is cut off without a word. */
  DRAIN_MS = 100,
  /* For streams whose clients are slow to take the last message. */
  STREAM_DRAIN_MS = 1000,
  /* For idle clients to see the core's GOAWAY and close their connections. */
  LINGER_MS = 500,
  /* How often waits for admission are looked at. */
  LOOK_MS = 100,
  HELD_BYTES_DEFAULT = 512 * 1024 * 1024,
  /* More than the writer takes into some groups: enough to keep the disk busy. */
  ADMITTED_BYTES_DEFAULT = 96 * 1024 * 1024,
  CALLS_DEFAULT = 4096,
  STREAMS_DEFAULT = 20000,
  HEARTBEAT_MS_DEFAULT = 30000,
  RECEIVE_MS_DEFAULT = 10000,
};

enum phase { SERVING, DRAINING, HURRYING, STOPPING };

/* A completion queue and the one thread that serves it. */
struct poller {
  struct annals_rpc_server *server;
  grpc_completion_queue *queue;
  struct annals_rpc_wakes wakes;
  pthread_t thread;
};

/*
 * Life: bind, start, stop, free. Calls are counted, from the slot that waits for one to its last
 * tag: after the core's own shutdown tag there may be some whose reply is still on its way, or that
 * have been accepted and wait in a queue for its thread. A queue must not be shut down before, for
 * whoever starts a batch on it then aborts.
 */
struct annals_rpc_server {
  struct annals_history *history;
  grpc_server *core;
  int port;
  struct annals_rpc_tls tls;
  struct annals_keyring *keyring; /* NULL: callers are not asked who they are */
  size_t held_bytes_max;
  gsize held_bytes; /* atomic */
  struct annals_rpc_meters *meters;
  struct annals_call_log *call_log;
  struct annals_call_log own_call_log; /* where none is given */
  struct annals_rpc_admission admission;
  struct annals_rpc_health health;
  struct annals_rpc_heartbeat heartbeat;
  struct annals_rpc_descriptors *descriptors;
  GPtrArray *services;
  void *registered[METHODS_MAX];
  struct poller pollers[THREADS_MAX];
  unsigned poller_count;
  unsigned max[ANNALS_RPC_COUNTERS];
  gint phase; /* atomic: enum phase */
  bool started;
  bool stopped;
  struct annals_rpc_tag shutdown_tag;

  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t changed;
  unsigned live_calls; /* slots among them */
  unsigned accepted_calls;
  unsigned count[ANNALS_RPC_COUNTERS];
  GQueue streams; /* links of struct annals_rpc_call */
  bool shut_down;
};

grpc_server *annals_rpc_server_core(struct annals_rpc_server *server) {
  return server->core;
}

struct annals_keyring *annals_rpc_server_keyring(struct annals_rpc_server *server) {
  return server->keyring;
}

struct annals_rpc_admission *annals_rpc_server_admission(struct annals_rpc_server *server) {
  return &server->admission;
}

struct annals_history *annals_rpc_server_history(struct annals_rpc_server *server) {
  return server->history;
}

struct annals_call_log *annals_rpc_server_call_log(struct annals_rpc_server *server) {
  return server->call_log;
}

struct annals_rpc_meters *annals_rpc_server_meters(struct annals_rpc_server *server) {
  return server->meters;
}

struct annals_rpc_health *annals_rpc_server_health(struct annals_rpc_server *server) {
  return &server->health;
}

struct annals_rpc_heartbeat *annals_rpc_server_heartbeat(struct annals_rpc_server *server) {
  return &server->heartbeat;
}

const struct annals_rpc_descriptors *annals_rpc_server_descriptors(
    const struct annals_rpc_server *server) {
  return server->descriptors;
}

const GPtrArray *annals_rpc_server_services(const struct annals_rpc_server *server) {
  return server->services;
}

bool annals_rpc_server_is_draining(struct annals_rpc_server *server) {
  return g_atomic_int_get(&server->phase) >= DRAINING;
}

bool annals_rpc_server_is_hurrying(struct annals_rpc_server *server) {
  return g_atomic_int_get(&server->phase) >= HURRYING;
}

bool annals_rpc_server_is_stopping(struct annals_rpc_server *server) {
  return g_atomic_int_get(&server->phase) == STOPPING;
}

void annals_rpc_server_call_began(struct annals_rpc_server *server) {
  pthread_mutex_lock(&server->lock);
  server->live_calls++;
  pthread_mutex_unlock(&server->lock);
}

void annals_rpc_server_call_accepted(struct annals_rpc_server *server) {
  pthread_mutex_lock(&server->lock);
  server->accepted_calls++;
  pthread_mutex_unlock(&server->lock);
}

static enum annals_rpc_counter counter_of(const struct annals_rpc_method *method) {
  if (method->standard) {
    return ANNALS_RPC_COUNTER_STANDARD;
  }
  return method->kind == ANNALS_RPC_UNARY ? ANNALS_RPC_COUNTER_UNARY : ANNALS_RPC_COUNTER_STREAMS;
}

/* What is answered at once needs no counting. */
bool annals_rpc_server_count_call(struct annals_rpc_server *server, struct annals_rpc_call *call) {
  if (call->method->standard && call->method->kind == ANNALS_RPC_UNARY) {
    return true;
  }
  enum annals_rpc_counter counter = counter_of(call->method);
  pthread_mutex_lock(&server->lock);
  call->counted = server->count[counter] < server->max[counter];
  server->count[counter] += call->counted;
  pthread_mutex_unlock(&server->lock);
  return call->counted;
}

void annals_rpc_server_call_ended(struct annals_rpc_server *server,
                                  const struct annals_rpc_call *call) {
  pthread_mutex_lock(&server->lock);
  server->live_calls--;
  server->accepted_calls -= call->core != NULL;
  if (call->counted) {
    server->count[counter_of(call->method)]--;
  }
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

void annals_rpc_server_load(struct annals_rpc_server *server, struct annals_rpc_load *ret_load) {
  *ret_load = (struct annals_rpc_load){
      .held_bytes = (size_t)g_atomic_pointer_get(&server->held_bytes),
      .held_bytes_max = server->held_bytes_max,
  };
  pthread_mutex_lock(&server->lock);
  memcpy(ret_load->calls, server->count, sizeof server->count);
  memcpy(ret_load->calls_max, server->max, sizeof server->max);
  pthread_mutex_unlock(&server->lock);
  annals_rpc_admission_load(&server->admission, ret_load);
}

void annals_rpc_server_add_stream(struct annals_rpc_server *server, GList *link) {
  pthread_mutex_lock(&server->lock);
  g_queue_push_tail_link(&server->streams, link);
  pthread_mutex_unlock(&server->lock);
}

void annals_rpc_server_remove_stream(struct annals_rpc_server *server, GList *link) {
  pthread_mutex_lock(&server->lock);
  g_queue_unlink(&server->streams, link);
  pthread_mutex_unlock(&server->lock);
}

/* A stream leaves the list before it ends: those in it can be woken. */
static void tell_streams(struct annals_rpc_server *server) {
  pthread_mutex_lock(&server->lock);
  for (GList *link = server->streams.head; link != NULL; link = link->next) {
    annals_rpc_call_wake_as(link->data, ANNALS_RPC_WOKEN_BY_SERVER);
  }
  pthread_mutex_unlock(&server->lock);
}

bool annals_rpc_server_hold(struct annals_rpc_server *server, size_t bytes) {
  gsize before = (gsize)g_atomic_pointer_add(&server->held_bytes, (gssize)bytes);
  if (before + bytes <= server->held_bytes_max) {
    return true;
  }
  annals_rpc_server_release(server, bytes);
  return false;
}

void annals_rpc_server_release(struct annals_rpc_server *server, size_t bytes) {
  g_atomic_pointer_add(&server->held_bytes, -(gssize)bytes);
}

static void on_shutdown(struct annals_rpc_tag *tag, bool ok) {
  struct annals_rpc_server *server =
      (struct annals_rpc_server *)((char *)tag - offsetof(struct annals_rpc_server, shutdown_tag));
  (void)ok;
  pthread_mutex_lock(&server->lock);
  server->shut_down = true;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

/*
 * While calls wait for admission a thread wakes up to see whether they have waited enough; and when
 * a stream is due to say that it is alive.
 */
static gpr_timespec next_look(struct annals_rpc_server *server) {
  int64_t now_us = g_get_monotonic_time();
  int64_t look_us = annals_rpc_heartbeat_due_us(&server->heartbeat);
  if (annals_rpc_admission_has_waiting(&server->admission)) {
    look_us = MIN(look_us, now_us + LOOK_MS * 1000);
  }
  return look_us == INT64_MAX
             ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
             : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                            gpr_time_from_micros(MAX(look_us - now_us, 0), GPR_TIMESPAN));
}

static void *poll(void *data) {
  (void)pthread_setname_np(pthread_self(), "annals-grpc");
  struct poller *poller = data;
  struct annals_rpc_server *server = poller->server;
  for (;;) {
    grpc_event event = grpc_completion_queue_next(poller->queue, next_look(server), NULL);
    if (event.type == GRPC_QUEUE_SHUTDOWN) {
      return NULL;
    }
    if (event.type == GRPC_OP_COMPLETE) {
      struct annals_rpc_tag *tag = event.tag;
      tag->on(tag, event.success != 0);
    }
    if (annals_rpc_admission_has_waiting(&server->admission)) {
      annals_rpc_admission_look(&server->admission, g_get_monotonic_time());
    }
    if (annals_rpc_heartbeat_due_us(&server->heartbeat) <= g_get_monotonic_time()) {
      annals_rpc_heartbeat_wake(&server->heartbeat);
    }
  }
}

/* Waits are timed by the clock that nobody sets. */
static void init_changed(pthread_cond_t *changed) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

static size_t or_default(size_t value, size_t initial) {
  return value != 0 ? value : initial;
}

static void set_limits(struct annals_rpc_server *server, const struct annals_rpc_options *options) {
  annals_rpc_admission_init(&server->admission,
                            or_default(options->admitted_bytes_max, ADMITTED_BYTES_DEFAULT),
                            (int)or_default((size_t)options->receive_ms, RECEIVE_MS_DEFAULT));
  server->held_bytes_max = or_default(options->held_bytes_max, HELD_BYTES_DEFAULT);
  server->max[ANNALS_RPC_COUNTER_UNARY] = (unsigned)or_default(options->calls_max, CALLS_DEFAULT);
  server->max[ANNALS_RPC_COUNTER_STREAMS] =
      (unsigned)or_default(options->streams_max, STREAMS_DEFAULT);
  server->max[ANNALS_RPC_COUNTER_STANDARD] = server->max[ANNALS_RPC_COUNTER_STREAMS];
  server->poller_count = CLAMP(
      options->thread_count != 0 ? options->thread_count : g_get_num_processors(), 1, THREADS_MAX);
}

static void register_methods(struct annals_rpc_server *server) {
  for (size_t i = 0; annals_rpc_methods[i] != NULL; i++) {
    const struct annals_rpc_method *method = annals_rpc_methods[i];
    g_assert(i < METHODS_MAX);
    server->registered[i] = grpc_server_register_method(
        server->core, method->path, NULL,
        annals_rpc_method_has_payload(method) ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER
                                              : GRPC_SRM_PAYLOAD_NONE,
        0);
    g_assert(server->registered[i] != NULL);
  }
}

struct annals_rpc_server *annals_rpc_server_bind(const struct annals_rpc_options *options,
                                                 GError **error) {
  struct annals_rpc_server *server = g_new0(struct annals_rpc_server, 1);
  pthread_mutex_init(&server->lock, NULL);
  init_changed(&server->changed);
  set_limits(server, options);
  annals_rpc_health_init(&server->health, options->health);
  annals_rpc_heartbeat_init(
      &server->heartbeat,
      (int64_t)or_default((size_t)options->heartbeat_ms, HEARTBEAT_MS_DEFAULT) * 1000);
  server->descriptors = annals_rpc_descriptors_new();
  server->services = annals_rpc_services_new();
  server->meters = annals_rpc_meters_new(options->metrics);
  server->call_log = options->call_log != NULL ? options->call_log : &server->own_call_log;
  server->shutdown_tag.on = on_shutdown;
  grpc_init();
  server->core = annals_rpc_core_new(options);
  for (unsigned i = 0; i < server->poller_count; i++) {
    server->pollers[i].server = server;
    server->pollers[i].queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server->core, server->pollers[i].queue, NULL);
  }
  register_methods(server);
  server->keyring = options->keyring;
  server->port = annals_rpc_core_bind(server->core, options, &server->tls);
  if (server->port == 0) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                "cannot listen on %s: the port is in use, or the address is not this machine's",
                options->address);
    annals_rpc_server_free(server);
    return NULL;
  }
  return server;
}

int annals_rpc_server_port(const struct annals_rpc_server *server) {
  return server->port;
}

static void arm_slots(struct annals_rpc_server *server, struct annals_rpc_queue queue) {
  for (size_t i = 0; annals_rpc_methods[i] != NULL; i++) {
    const struct annals_rpc_method *method = annals_rpc_methods[i];
    int slots = method->standard ? SLOTS_PER_STANDARD_METHOD : SLOTS_PER_METHOD;
    while (slots-- > 0) {
      annals_rpc_call_arm(server, method, server->registered[i], queue);
    }
  }
  /* Without this, a call of an unknown method would hang until its deadline. */
  annals_rpc_call_arm(server, NULL, NULL, queue);
}

void annals_rpc_server_start(struct annals_rpc_server *server, struct annals_history *history) {
  server->history = history;
  server->started = true;
  annals_rpc_meters_watch(server->meters, server);
  grpc_server_start(server->core);
  for (unsigned i = 0; i < server->poller_count; i++) {
    struct poller *poller = &server->pollers[i];
    arm_slots(server, (struct annals_rpc_queue){poller->queue, &poller->wakes});
    int errnum = pthread_create(&poller->thread, NULL, poll, poller);
    g_assert(errnum == 0);
  }
}

/* A time of CLOCK_MONOTONIC. */
static struct timespec in_ms(int ms) {
  gint64 us = g_get_monotonic_time() + (gint64)ms * 1000;
  return (struct timespec){.tv_sec = us / G_USEC_PER_SEC, .tv_nsec = us % G_USEC_PER_SEC * 1000};
}

static bool has_no_accepted_call(const struct annals_rpc_server *server) {
  return server->accepted_calls == 0;
}

static bool has_no_stream(const struct annals_rpc_server *server) {
  return server->streams.length == 0;
}

static bool has_no_call(const struct annals_rpc_server *server) {
  return server->live_calls == 0;
}

static bool is_quiet(const struct annals_rpc_server *server) {
  return server->live_calls == 0 && server->shut_down;
}

/* Waits until the condition holds. until: NULL for ever. Returns whether it does. */
static bool wait_until(struct annals_rpc_server *server,
                       bool (*holds)(const struct annals_rpc_server *),
                       const struct timespec *until) {
  int errnum = 0;
  pthread_mutex_lock(&server->lock);
  while (errnum == 0 && !holds(server)) {
    errnum = until != NULL ? pthread_cond_timedwait(&server->changed, &server->lock, until)
                           : pthread_cond_wait(&server->changed, &server->lock);
  }
  pthread_mutex_unlock(&server->lock);
  return errnum == 0;
}

/* A server that never ran has no thread to take its shutdown tag. */
static void stop_unstarted(struct annals_rpc_server *server) {
  grpc_completion_queue *queue = server->pollers[0].queue;
  grpc_server_shutdown_and_notify(server->core, queue, &server->shutdown_tag);
  (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

void annals_rpc_server_drain(struct annals_rpc_server *server) {
  g_atomic_int_set(&server->phase, DRAINING);
  tell_streams(server);
}

/*
 * Streams are ended, calls under way get the grace, new ones are told to go elsewhere; then the
 * core shuts down. Connections on which there is no call are not worth a wait.
 */
static void stop_started(struct annals_rpc_server *server, int grace_ms) {
  struct timespec grace = in_ms(grace_ms);
  struct timespec streams_grace = in_ms(MIN(STREAM_DRAIN_MS, grace_ms));
  annals_rpc_server_drain(server);
  g_usleep((gulong)MIN(DRAIN_MS, grace_ms) * 1000);
  if (!wait_until(server, has_no_stream, &streams_grace)) {
    g_atomic_int_set(&server->phase, HURRYING);
    tell_streams(server);
  }
  wait_until(server, has_no_accepted_call, &grace);
  g_atomic_int_set(&server->phase, STOPPING);
  grpc_server_shutdown_and_notify(server->core, server->pollers[0].queue, &server->shutdown_tag);
  bool done = wait_until(server, has_no_call, &grace);
  struct timespec linger = in_ms(MIN(LINGER_MS, grace_ms));
  if (!done || !wait_until(server, is_quiet, &linger)) {
    grpc_server_cancel_all_calls(server->core);
    annals_history_end_waits(server->history); /* who waits for a key does not hear of that */
    wait_until(server, is_quiet, NULL);
  }
}

void annals_rpc_server_stop(struct annals_rpc_server *server, int grace_ms) {
  if (server->stopped) {
    return;
  }
  server->stopped = true;
  if (server->started) {
    annals_rpc_meters_unwatch(server->meters);
    stop_started(server, grace_ms);
  } else {
    stop_unstarted(server);
  }
  for (unsigned i = 0; i < server->poller_count; i++) {
    grpc_completion_queue_shutdown(server->pollers[i].queue);
  }
  for (unsigned i = 0; i < server->poller_count; i++) {
    if (server->started) {
      pthread_join(server->pollers[i].thread, NULL);
    }
  }
}

/* Takes what is left on a queue without a thread: its shutdown event. */
static void drain(grpc_completion_queue *queue) {
  while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
         GRPC_QUEUE_SHUTDOWN) {
  }
}

void annals_rpc_server_free(struct annals_rpc_server *server) {
  if (server == NULL) {
    return;
  }
  annals_rpc_server_stop(server, 0);
  grpc_server_destroy(server->core);
  for (unsigned i = 0; i < server->poller_count; i++) {
    if (!server->started) {
      drain(server->pollers[i].queue);
    }
    grpc_completion_queue_destroy(server->pollers[i].queue);
  }
  annals_rpc_meters_free(server->meters);
  annals_rpc_admission_clear(&server->admission);
  annals_rpc_heartbeat_clear(&server->heartbeat);
  annals_rpc_health_clear(&server->health);
  annals_rpc_descriptors_free(server->descriptors);
  g_ptr_array_unref(server->services);
  pthread_mutex_destroy(&server->lock);
  pthread_cond_destroy(&server->changed);
  grpc_shutdown_blocking();
  g_free(server);
}
