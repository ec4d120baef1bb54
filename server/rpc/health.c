#include "server/rpc/health.h"

#include <string.h>

#include "proto/wire.h"
#include "server/history/error.h"
#include "server/rpc/methods.h"
#include "server/rpc/server_internal.h"
#include "server/rpc/standard_request.h"

/* HealthCheckResponse.ServingStatus. */
enum status { UNKNOWN = 0, SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

enum {
  FIELD_STATUS = 1,   /* of HealthCheckResponse */
  FIELD_STATUSES = 1, /* of HealthListResponse */
  FIELD_KEY = 1,
  FIELD_VALUE = 2,
  RESPONSE_BYTES_MAX = 4096,
};

/* --- those who watch --- */

static void on_change(void *context) {
  struct annals_rpc_health *health = context;
  pthread_mutex_lock(&health->lock);
  for (GList *link = health->watchers.head; link != NULL; link = link->next) {
    annals_rpc_call_wake(link->data);
  }
  pthread_mutex_unlock(&health->lock);
}

void annals_rpc_health_init(struct annals_rpc_health *health, struct annals_health *followed) {
  health->health = followed;
  health->listener = (struct annals_health_listener){on_change, health};
  pthread_mutex_init(&health->lock, NULL);
  g_queue_init(&health->watchers);
  if (followed != NULL) {
    annals_health_set_listener(followed, &health->listener);
  }
}

void annals_rpc_health_clear(struct annals_rpc_health *health) {
  if (health->health != NULL) {
    annals_health_set_listener(health->health, NULL);
  }
  g_assert(g_queue_is_empty(&health->watchers));
  pthread_mutex_destroy(&health->lock);
}

/* --- what is told --- */

static enum status status_of_server(struct annals_rpc_call *call) {
  const struct annals_health *health = annals_rpc_server_health(call->server)->health;
  const char *why;
  return health == NULL || annals_health_is_ready(health, &why) ? SERVING : NOT_SERVING;
}

static bool is_served(struct annals_rpc_call *call, const char *service) {
  GPtrArray *services = (GPtrArray *)annals_rpc_server_services(call->server);
  return *service == '\0' || g_ptr_array_find_with_equal_func(services, service, g_str_equal, NULL);
}

static void append_entry(struct annals_buffer *out, const char *service, enum status status) {
  size_t start = out->len;
  annals_wire_append_bytes(out, FIELD_KEY, service, strlen(service));
  size_t value = out->len;
  annals_wire_append_varint(out, FIELD_STATUS, status);
  annals_wire_wrap(out, value, FIELD_VALUE);
  annals_wire_wrap(out, start, FIELD_STATUSES);
}

/* --- Check --- */

static void check(struct annals_rpc_call *call) {
  g_autofree char *service = NULL;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_health_request_read(call->request, call->request_bytes, &service, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  if (!is_served(call, service)) {
    error = annals_error_new(ANNALS_REASON_UNKNOWN_SERVICE, "there is no service %s", service);
    annals_error_add_metadata(error, "service", "%s", service);
    annals_rpc_call_fail(call, error);
    return;
  }
  struct annals_buffer message;
  annals_buffer_init(&message, RESPONSE_BYTES_MAX);
  annals_wire_append_varint(&message, FIELD_STATUS, status_of_server(call));
  annals_rpc_call_reply(call, &message);
}

const struct annals_rpc_method annals_rpc_health_check = {
    .path = "/grpc.health.v1.Health/Check",
    .standard = true,
    .anonymous = true,
    .start = check,
};

/* --- List --- */

static void list(struct annals_rpc_call *call) {
  const GPtrArray *services = annals_rpc_server_services(call->server);
  enum status status = status_of_server(call);
  struct annals_buffer message;
  annals_buffer_init(&message, RESPONSE_BYTES_MAX);
  append_entry(&message, "", status);
  for (guint i = 0; i < services->len; i++) {
    append_entry(&message, services->pdata[i], status);
  }
  annals_rpc_call_reply(call, &message);
}

const struct annals_rpc_method annals_rpc_health_list = {
    .path = "/grpc.health.v1.Health/List",
    .standard = true,
    .anonymous = true,
    .start = list,
};

/* --- Watch --- */

struct watch {
  GList link; /* among the watchers */
  bool served;
  bool watching;
  enum status told; /* UNKNOWN: nothing yet */
};

static void tell(struct annals_rpc_call *call) {
  struct watch *watch = call->state;
  enum status status = watch->served ? status_of_server(call) : SERVICE_UNKNOWN;
  if (status == watch->told || annals_rpc_call_is_sending(call)) {
    return;
  }
  struct annals_buffer message;
  annals_buffer_init(&message, RESPONSE_BYTES_MAX);
  annals_wire_append_varint(&message, FIELD_STATUS, status);
  watch->told = status;
  annals_rpc_call_send(call, &message);
}

/* Watches before it tells: a change in between is told as well. */
static void watch_start(struct annals_rpc_call *call) {
  struct annals_rpc_health *health = annals_rpc_server_health(call->server);
  struct watch *watch = call->state;
  g_autofree char *service = NULL;
  g_autoptr(GError) error = NULL;
  if (!annals_rpc_health_request_read(call->request, call->request_bytes, &service, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  annals_rpc_call_release_request(call);
  watch->served = is_served(call, service);
  watch->link.data = call;
  watch->watching = true;
  pthread_mutex_lock(&health->lock);
  g_queue_push_tail_link(&health->watchers, &watch->link);
  pthread_mutex_unlock(&health->lock);
  tell(call);
}

static void watch_detach(struct annals_rpc_call *call) {
  struct annals_rpc_health *health = annals_rpc_server_health(call->server);
  struct watch *watch = call->state;
  if (watch->watching) {
    pthread_mutex_lock(&health->lock);
    g_queue_unlink(&health->watchers, &watch->link);
    pthread_mutex_unlock(&health->lock);
  }
}

const struct annals_rpc_method annals_rpc_health_watch = {
    .path = "/grpc.health.v1.Health/Watch",
    .kind = ANNALS_RPC_SERVER_STREAMING,
    .state_bytes = sizeof(struct watch),
    .standard = true,
    .anonymous = true,
    .start = watch_start,
    .resume = tell,
    .on_sent = tell,
    .detach = watch_detach,
};
