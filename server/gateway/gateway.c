#include "server/gateway/gateway.h"

#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/gateway/call.h"
#include "server/gateway/half_close.h"
#include "server/gateway/head.h"
#include "server/gateway/tls_handshake.h"
#include "server/ops/descriptors.h"
#include "server/ops/log.h"

enum {
  /* SDKs keep pools of idle connections. Each costs a descriptor, of which the store and gRPC
     need some too, and what of ANNALS_CONNECTION_MEMORY_BYTES its requests have touched. */
  CONNECTION_COUNT_MAX = 4096,
  CONNECTION_COUNT_MIN = 64,
  DESCRIPTOR_SHARE = 4,
  CONNECTION_TIMEOUT_S = 60,
  STOP_TIMEOUT_MS = 10000,
  LAST_ANSWERS_MS = 5000, /* to be sent, once nobody waits for keys */
};

#define BODY_BYTES_MAX ((size_t)1024 * 1024)
#define REPLY_BYTES_MAX ((size_t)512 * 1024 * 1024)

struct annals_gateway {
  struct annals_gateway_options options; /* defaults filled in */
  struct annals_call_context context;
  struct annals_half_close half_close;
  struct MHD_Daemon *daemon; /* NULL when stopped */
};

G_DEFINE_QUARK(annals_gateway_start_error, annals_gateway_start_error)

/* What libmicrohttpd has to say: mostly of clients that went away. */
G_GNUC_PRINTF(2, 0)
static void on_log(G_GNUC_UNUSED void *context, const char *format, va_list args) {
  g_autofree char *text = g_strdup_vprintf(format, args);
  g_strchomp(text);
  annals_log_debug("libmicrohttpd", ANNALS_LOG_TEXT("detail", text));
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
  struct annals_gateway *gateway = context;
  const int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  annals_call_connection(&gateway->context, socket_context, code);
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    annals_half_close_remove(&gateway->half_close, fd);
    return;
  }
  annals_half_close_add(&gateway->half_close, fd);
  if (gateway->options.tls != NULL) {
    annals_tls_handshake_begin(connection, gateway->options.tls);
  }
}

static unsigned connection_count_max(void) {
  int64_t share = annals_descriptors_limit() / DESCRIPTOR_SHARE;
  return (unsigned)CLAMP(share, CONNECTION_COUNT_MIN, CONNECTION_COUNT_MAX);
}

static struct annals_gateway_options with_defaults(const struct annals_gateway_options *given) {
  struct annals_gateway_options options = *given;
#define DEFAULT(member, value) options.member = options.member != 0 ? options.member : (value)
  DEFAULT(thread_count, g_get_num_processors());
  DEFAULT(connection_count_max, connection_count_max());
  DEFAULT(connection_timeout_s, CONNECTION_TIMEOUT_S);
  DEFAULT(body_bytes_max, BODY_BYTES_MAX);
  DEFAULT(reply_bytes_max, REPLY_BYTES_MAX);
  DEFAULT(stop_timeout_ms, STOP_TIMEOUT_MS);
#undef DEFAULT
  options.connection_count_max = MAX(options.connection_count_max, options.thread_count);
  return options;
}

static struct MHD_Daemon *start_daemon(struct annals_gateway *gateway) {
  const struct annals_gateway_options *options = &gateway->options;
  struct annals_call_context *context = &gateway->context;
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  struct MHD_OptionItem more[4] = {0};
  size_t count = 0;
  if (options->thread_count > 1) { /* a pool of one is not a pool */
    more[count++] =
        (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)options->thread_count, NULL};
  }
  if (options->tls != NULL) {
    flags |= MHD_USE_TLS;
    more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, ANNALS_TLS_PRIORITIES};
    more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0,
                                            (void *)annals_tls_handshake_retrieve};
  }
  more[count].option = MHD_OPTION_END;
  return MHD_start_daemon(
      flags, 0, NULL, NULL, annals_call_handle, context, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
      MHD_OPTION_LISTEN_SOCKET, (MHD_socket)options->listen_socket, MHD_OPTION_URI_LOG_CALLBACK,
      annals_call_begin, context, MHD_OPTION_NOTIFY_COMPLETED, annals_call_end, context,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, gateway, MHD_OPTION_CONNECTION_LIMIT,
      options->connection_count_max, MHD_OPTION_CONNECTION_TIMEOUT, options->connection_timeout_s,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ANNALS_CONNECTION_MEMORY_BYTES, MHD_OPTION_ARRAY,
      more, MHD_OPTION_END);
}

static bool start_threads(struct annals_gateway *gateway) {
  if (!annals_half_close_start(&gateway->half_close)) {
    return false;
  }
  gateway->daemon = start_daemon(gateway);
  if (gateway->daemon == NULL) {
    annals_half_close_stop(&gateway->half_close);
  }
  return gateway->daemon != NULL;
}

static void sample(void *context) {
  struct annals_gateway *gateway = context;
  const struct annals_gateway_options *options = &gateway->options;
  const char *const transport[] = {"aws_json"};
  const union MHD_DaemonInfo *info =
      MHD_get_daemon_info(gateway->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
  annals_metrics_set(options->metrics, ANNALS_METRIC_CONNECTIONS, transport, info->num_connections);
  annals_metrics_set(options->metrics, ANNALS_METRIC_CONNECTIONS_MAX, transport,
                     options->connection_count_max);
  annals_metrics_set(options->metrics, ANNALS_METRIC_HELD_BYTES, transport,
                     (int64_t)annals_in_flight_reply_bytes(&gateway->context.in_flight));
  annals_metrics_set(options->metrics, ANNALS_METRIC_HELD_BYTES_MAX, transport,
                     (int64_t)options->reply_bytes_max);
}

bool annals_gateway_start(const struct annals_gateway_options *options,
                          struct annals_gateway **ret_gateway, GError **error) {
  if (options->tls != NULL && !annals_tls_handshake_check(options->tls, error)) {
    return false;
  }
  struct annals_gateway *gateway = g_new0(struct annals_gateway, 1);
  gateway->options = with_defaults(options);
  gateway->context.history = options->history;
  gateway->context.callers = (struct annals_caller_policy){
      .keyring = options->keyring,
      .region = options->region,
      .history = options->history,
  };
  gateway->context.body_bytes_max = gateway->options.body_bytes_max;
  annals_in_flight_init(&gateway->context.in_flight, gateway->options.reply_bytes_max);
  annals_gateway_meters_init(&gateway->context.meters, options->metrics);
  gateway->context.call_log =
      options->call_log != NULL ? options->call_log : &gateway->context.own_call_log;
  json_object_seed(0); /* before there are threads */
  if (!start_threads(gateway)) {
    g_set_error(error, ANNALS_GATEWAY_START_ERROR, 0, "the gateway's listener does not start");
    annals_in_flight_clear(&gateway->context.in_flight);
    g_free(gateway);
    return false;
  }
  annals_metrics_add_source(options->metrics, sample, gateway);
  *ret_gateway = gateway;
  return true;
}

/*
 * Has new clients refused, by putting a socket that nobody knows of in the listener's place.
 *
 * MHD_quiesce_daemon is not for this: in libmicrohttpd 0.9.75 it and the threads of the pool take
 * the listener out of the same epoll sets, and whoever comes second aborts the process.
 */
static void close_listener(int listener) {
  const struct sockaddr_un nameless = {.sun_family = AF_UNIX};
  int nobody = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (nobody < 0 || bind(nobody, (const struct sockaddr *)&nameless, sizeof(sa_family_t)) != 0 ||
      listen(nobody, 1) != 0 || dup3(nobody, listener, O_CLOEXEC) < 0) {
    shutdown(listener, SHUT_RDWR);
  }
  if (nobody >= 0) {
    close(nobody);
  }
}

void annals_gateway_stop(struct annals_gateway *gateway) {
  if (gateway->daemon == NULL) {
    return;
  }
  struct annals_in_flight *in_flight = &gateway->context.in_flight;
  annals_metrics_remove_source(gateway->options.metrics, gateway);
  annals_in_flight_drain(in_flight);
  close_listener(gateway->options.listen_socket);
  if (!annals_in_flight_wait(in_flight, gateway->options.stop_timeout_ms)) {
    annals_history_end_waits(gateway->options.history);
    (void)!annals_in_flight_wait(in_flight, LAST_ANSWERS_MS);
  }
  annals_in_flight_close(in_flight);
  MHD_stop_daemon(gateway->daemon);
  gateway->daemon = NULL;
  annals_half_close_stop(&gateway->half_close);
}

void annals_gateway_free(struct annals_gateway *gateway) {
  if (gateway == NULL) {
    return;
  }
  annals_gateway_stop(gateway);
  annals_in_flight_clear(&gateway->context.in_flight);
  g_free(gateway);
}
