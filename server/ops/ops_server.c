#include "server/ops/ops_server.h"

#include <microhttpd.h>
#include <string.h>

#include "server/ops/http_arguments.h"

enum { CONNECTION_TIMEOUT_S = 10, CONNECTION_COUNT_MAX = 64 };

struct annals_ops_server {
  const struct annals_health *health;
  struct annals_metrics *metrics;
  struct MHD_Daemon *daemon; /* NULL when stopped */
};

G_DEFINE_QUARK(annals_ops_server_error, annals_ops_server_error)

/* Takes body over. */
static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             GString *body) {
  size_t size = body->len;
  char *bytes = g_string_free(body, FALSE);
  struct MHD_Response *response =
      MHD_create_response_from_buffer_with_free_callback(size, bytes, g_free);
  if (response == NULL) {
    g_free(bytes);
    return MHD_NO;
  }
  enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    result &= MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  if (result == MHD_YES) {
    result = MHD_queue_response(connection, status, response);
  }
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result reply_line(struct MHD_Connection *connection, unsigned status,
                                  const char *line) {
  GString *body = g_string_new(line);
  g_string_append_c(body, '\n');
  return reply(connection, status, "text/plain", body);
}

static enum MHD_Result answer(const struct annals_ops_server *server,
                              struct MHD_Connection *connection, const char *path,
                              const char *method) {
  const char *why = "ok";
  bool metrics = strcmp(path, "/metrics") == 0;
  bool live = strcmp(path, "/livez") == 0;
  if (!metrics && !live && strcmp(path, "/readyz") != 0) {
    return reply_line(connection, MHD_HTTP_NOT_FOUND,
                      "not found: there are /livez, /readyz and /metrics");
  }
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
    return reply_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed: GET or HEAD");
  }
  if (metrics) {
    return reply(connection, MHD_HTTP_OK, ANNALS_METRICS_CONTENT_TYPE,
                 annals_metrics_text(server->metrics));
  }
  bool good = live ? annals_health_is_live(server->health, &why)
                   : annals_health_is_ready(server->health, &why);
  const char *amiss = good && !live ? annals_health_what_is_amiss(server->health) : NULL;
  why = amiss != NULL ? amiss : why;
  return reply_line(connection, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

/* Called before a request line is taken apart. */
static void *on_target(G_GNUC_UNUSED void *context, const char *target,
                       G_GNUC_UNUSED struct MHD_Connection *connection) {
  annals_http_arguments_drop(target);
  return NULL;
}

/* Called for the head of a request, for each part of its body, and at its end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  G_GNUC_UNUSED const char *version,
                                  G_GNUC_UNUSED const char *upload, size_t *upload_size,
                                  void **request) {
  static char seen;
  if (*request == NULL) {
    *request = &seen;
    return MHD_YES;
  }
  if (*upload_size > 0) {
    *upload_size = 0; /* a body says nothing here */
    return MHD_YES;
  }
  return answer(context, connection, path, method);
}

static void sample(void *context) {
  struct annals_ops_server *server = context;
  const char *why;
  annals_metrics_set(server->metrics, ANNALS_METRIC_LIVE, NULL,
                     annals_health_is_live(server->health, &why));
  annals_metrics_set(server->metrics, ANNALS_METRIC_READY, NULL,
                     annals_health_is_ready(server->health, &why));
}

bool annals_ops_server_start(int listen_socket, const struct annals_health *health,
                             struct annals_metrics *metrics, struct annals_ops_server **ret_server,
                             GError **error) {
  struct annals_ops_server *server = g_new0(struct annals_ops_server, 1);
  server->health = health;
  server->metrics = metrics;
  server->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request,
                                    server, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listen_socket,
                                    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
                                    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_COUNT_MAX,
                                    MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_END);
  if (server->daemon == NULL) {
    g_set_error(error, ANNALS_OPS_SERVER_ERROR, 0, "the operators' listener does not start");
    g_free(server);
    return false;
  }
  annals_metrics_add_source(metrics, sample, server);
  *ret_server = server;
  return true;
}

void annals_ops_server_stop(struct annals_ops_server *server) {
  if (server->daemon != NULL) {
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    annals_metrics_remove_source(server->metrics, server);
  }
}

void annals_ops_server_free(struct annals_ops_server *server) {
  if (server == NULL) {
    return;
  }
  annals_ops_server_stop(server);
  g_free(server);
}
