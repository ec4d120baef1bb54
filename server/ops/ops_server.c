#include "server/ops/ops_server.h"

#include <microhttpd.h>
#include <string.h>

enum { CONNECTION_TIMEOUT_S = 10, CONNECTION_COUNT_MAX = 64 };

struct annals_ops_server {
  const struct annals_health *health;
  struct MHD_Daemon *daemon; /* NULL when stopped */
};

G_DEFINE_QUARK(annals_ops_server_error, annals_ops_server_error)

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *text) {
  g_autofree char *body = g_strconcat(text, "\n", NULL);
  struct MHD_Response *response =
      MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_COPY);
  if (response == NULL) {
    return MHD_NO;
  }
  enum MHD_Result result =
      MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    result &= MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  if (result == MHD_YES) {
    result = MHD_queue_response(connection, status, response);
  }
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result answer(const struct annals_ops_server *server,
                              struct MHD_Connection *connection, const char *path,
                              const char *method) {
  const char *why = "ok";
  bool good;
  if (strcmp(path, "/livez") == 0) {
    good = annals_health_is_live(server->health, &why);
  } else if (strcmp(path, "/readyz") == 0) {
    good = annals_health_is_ready(server->health, &why);
  } else {
    return reply(connection, MHD_HTTP_NOT_FOUND, "not found: there are /livez and /readyz");
  }
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
    return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed: GET or HEAD");
  }
  return reply(connection, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, why);
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

bool annals_ops_server_start(int listen_socket, const struct annals_health *health,
                             struct annals_ops_server **ret_server, GError **error) {
  struct annals_ops_server *server = g_new0(struct annals_ops_server, 1);
  server->health = health;
  server->daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET,
      (MHD_socket)listen_socket, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_COUNT_MAX, MHD_OPTION_END);
  if (server->daemon == NULL) {
    g_set_error(error, ANNALS_OPS_SERVER_ERROR, 0, "the operators' listener does not start");
    g_free(server);
    return false;
  }
  *ret_server = server;
  return true;
}

void annals_ops_server_stop(struct annals_ops_server *server) {
  if (server->daemon != NULL) {
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
  }
}

void annals_ops_server_free(struct annals_ops_server *server) {
  if (server == NULL) {
    return;
  }
  annals_ops_server_stop(server);
  g_free(server);
}
