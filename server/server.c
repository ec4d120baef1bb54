#include "server/server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/schema.h"
#include "server/encryption_config.h"
#include "server/gateway/gateway.h"
#include "server/history/history.h"
#include "server/history/quota.h"
#include "server/history/token_key.h"
#include "server/key_service.h"
#include "server/migration.h"
#include "server/ops/call_log.h"
#include "server/ops/health.h"
#include "server/ops/listen.h"
#include "server/ops/log.h"
#include "server/ops/ops_server.h"
#include "server/ops/process_metrics.h"
#include "server/resources.h"
#include "server/retention_thread.h"
#include "server/rpc/rpc_server.h"
#include "server/store_metrics.h"
#include "server/tracing.h"
#include "server/trust.h"
#include "server/wiping.h"
#include "storage/dir.h"
#include "storage/rocksdb/data_dir.h"
#include "storage/rocksdb/rocksdb_store.h"

enum {
  DATA_DIR_MODE = 0700,
  MS_PER_SECOND = 1000,
};

/* In the order in which they are made; freed the other way round. */
struct annals_server {
  struct annals_metrics *metrics;
  struct annals_call_log call_log;
  struct annals_health health;
  struct annals_health_probe probe;
  struct annals_trust *trust;
  struct annals_resources resources;
  struct annals_retention_thread *retention;
  char *region; /* NULL: any */
  int drain_delay_ms;
  int drain_timeout_ms;
  struct annals_quotas *quotas;
  int ops_socket; /* -1: none, or another's by now */
  char *ops_address;
  struct annals_ops_server *ops;
  int gateway_socket;
  char *gateway_address;
  char *grpc_host; /* without the port */
  struct annals_rpc_server *rpc;
  struct annals_otlp_exporter *exporter; /* NULL: spans are not exported */
  struct annals_store_metrics *store_metrics;
  struct annals_store *store;
  char *backup_dir;     /* absolute; NULL: none */
  char *token_key_path; /* in the data directory; NULL: the key is elsewhere */
  struct annals_token_key *token_key;
  struct annals_key_service *key_service;
  struct annals_encryption_policy *encryption;
  struct annals_schema *schema;
  struct annals_history *history;
  struct annals_gateway *gateway;
};

static const char *why_dead(void *context) {
  struct annals_store *store = context;
  return store->ops->health(store) == ANNALS_STORE_WRITES_STOPPED
             ? "writes have stopped after one failed; only a restart helps"
             : NULL;
}

static const char *what_is_amiss(void *context) {
  struct annals_store *store = context;
  return store->ops->health(store) == ANNALS_STORE_FULL
             ? "ok, but the disk is nearly full: appends are refused, reads and deletions go on"
             : NULL;
}

static void log_room(G_GNUC_UNUSED void *context, bool full, uint64_t free_bytes) {
  const int64_t free_mib = (int64_t)(free_bytes >> 20);
  if (full) {
    annals_log_warning("the disk is nearly full: appends are refused",
                       ANNALS_LOG_NUMBER("free_mib", free_mib));
  } else {
    annals_log_info("the disk has room again: appends are taken",
                    ANNALS_LOG_NUMBER("free_mib", free_mib));
  }
}

/* --- addresses --- */

/* problem: why others should not reach the address; NULL: they may. */
static bool check_reach(const char *option, const char *text,
                        const struct annals_listen_address *address, const char *problem,
                        GError **error) {
  if (problem == NULL || annals_listen_address_is_loopback(address)) {
    return true;
  }
  g_set_error(error, ANNALS_LISTEN_ERROR, ANNALS_LISTEN_ERROR_ADDRESS,
              "--%s %s: others can reach this address, and %s", option, text, problem);
  return false;
}

static bool open_socket(const char *option, const char *text, const char *problem, int *ret_socket,
                        char **ret_bound, GError **error) {
  struct annals_listen_address *address = NULL;
  if (!annals_listen_address_parse(text, &address, error)) {
    return false;
  }
  bool ok = check_reach(option, text, address, problem, error) &&
            annals_listen_open(address, ret_socket, ret_bound, error);
  annals_listen_address_free(address);
  return ok;
}

/* gRPC's core does not say why it cannot bind: a socket of our own there fails the same way. */
static void explain_bind(const struct annals_listen_address *address, GError **error) {
  int probe = -1;
  g_autofree char *bound = NULL;
  g_autoptr(GError) why = NULL;
  if (annals_listen_open(address, &probe, &bound, &why)) {
    close(probe);
  } else if (error != NULL) {
    g_clear_error(error);
    g_propagate_error(error, g_steal_pointer(&why));
  }
}

static int to_ms(int64_t seconds) {
  return (int)MIN(seconds, G_MAXINT / MS_PER_SECOND) * MS_PER_SECOND;
}

static void rpc_options(struct annals_server *server, const struct annals_options *options,
                        const char *address, struct annals_rpc_options *ret_options) {
  *ret_options = (struct annals_rpc_options){
      .address = address,
      .health = &server->health,
      .tls = server->trust->tls,
      .keyring = server->trust->keyring,
      .metrics = server->metrics,
      .call_log = &server->call_log,
      .thread_count = server->resources.transport_threads,
      .held_bytes_max = server->resources.held_bytes_max,
      .admitted_bytes_max = server->resources.admitted_bytes_max,
      .core_bytes_max = server->resources.core_bytes_max,
      .calls_max = (unsigned)options->grpc_max_calls,
      .streams_max = (unsigned)options->grpc_max_streams,
      .connection_streams_max = (unsigned)options->grpc_max_connection_streams,
      .keepalive_ms = to_ms(options->grpc_keepalive),
      .client_ping_interval_ms = to_ms(options->grpc_client_ping_interval),
      .connection_idle_ms = to_ms(options->grpc_connection_idle),
      .connection_age_ms = to_ms(options->grpc_connection_age),
      .connection_age_grace_ms = to_ms(options->grpc_connection_age_grace),
  };
}

static bool bind_grpc(struct annals_server *server, const struct annals_options *options,
                      GError **error) {
  struct annals_listen_address *address = NULL;
  if (!annals_listen_address_parse(options->grpc_listen, &address, error)) {
    return false;
  }
  const char *problem = annals_trust_grpc_problem(server->trust, options);
  bool ok = check_reach("grpc-listen", options->grpc_listen, address, problem, error);
  if (ok) {
    g_autofree char *text = annals_listen_address_text(address);
    server->grpc_host = g_strndup(text, (gsize)(strrchr(text, ':') - text));
    struct annals_rpc_options rpc;
    rpc_options(server, options, text, &rpc);
    server->rpc = annals_rpc_server_bind(&rpc, error);
    ok = server->rpc != NULL;
    if (!ok) {
      explain_bind(address, error);
    }
  }
  annals_listen_address_free(address);
  return ok;
}

static bool take_ports(struct annals_server *server, const struct annals_options *options,
                       GError **error) {
  const char *gateway_problem = annals_trust_gateway_problem(server->trust, options);
  return open_socket("ops-listen", options->ops_listen, NULL, &server->ops_socket,
                     &server->ops_address, error) &&
         open_socket("gateway-listen", options->gateway_listen, gateway_problem,
                     &server->gateway_socket, &server->gateway_address, error) &&
         bind_grpc(server, options, error);
}

/* --- parts --- */

static char *grpc_address(const struct annals_server *server) {
  return g_strdup_printf("%s:%d", server->grpc_host, annals_rpc_server_port(server->rpc));
}

/* Before there are calls. */
static bool start_tracing(struct annals_server *server, const struct annals_options *options,
                          GError **error) {
  g_autofree char *grpc = grpc_address(server);
  const struct annals_tracing_addresses addresses = {
      .grpc = grpc,
      .gateway = server->gateway_address,
  };
  if (!annals_tracing_start(options, server->trust, &addresses, &server->exporter, error)) {
    return false;
  }
  server->call_log.spans = annals_otlp_exporter_sink(server->exporter);
  return true;
}

static bool read_quotas(struct annals_server *server, const struct annals_options *options,
                        GError **error) {
  server->quotas = annals_quotas_new(options->quota, NULL, NULL, error);
  g_prefix_error(error, "--quota: ");
  return server->quotas != NULL;
}

static bool read_retention(struct annals_server *server, const struct annals_options *options,
                           GError **error) {
  server->retention =
      annals_retention_thread_new(options, server->trust->reload, server->metrics, error);
  return server->retention != NULL;
}

static bool start_ops(struct annals_server *server, GError **error) {
  if (!annals_ops_server_start(server->ops_socket, &server->health, server->metrics, &server->ops,
                               error)) {
    return false;
  }
  server->ops_socket = -1;
  return true;
}

/* A store begun anew where a restore was cut short would pass for the one that was to come back. */
static bool check_restored(const char *data_dir, const char *store, GError **error) {
  g_autofree char *restoring = g_build_filename(data_dir, ANNALS_DATA_DIR_RESTORING, NULL);
  if (!g_file_test(restoring, G_FILE_TEST_EXISTS) || g_file_test(store, G_FILE_TEST_EXISTS)) {
    return true;
  }
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
              "a restore into '%s' has not ended: run it again", data_dir);
  return false;
}

/* Says what to do about a store that is damaged. */
static void advise(GError **error) {
  if (error != NULL &&
      g_error_matches(*error, ANNALS_ROCKSDB_ERROR, ANNALS_ROCKSDB_ERROR_CORRUPT)) {
    char *message = (*error)->message;
    (*error)->message = g_strconcat(message,
                                    "; 'annals verify' tells all that is, and a backup has what "
                                    "was: see Verify and repair in deploy/README.md",
                                    NULL);
    g_free(message);
  }
}

static bool open_store(struct annals_server *server, const struct annals_options *options,
                       GError **error) {
  if (!annals_dir_make(options->data_dir, DATA_DIR_MODE)) {
    int why = errno;
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(why),
                "the data directory '%s' cannot be made: %s", options->data_dir, g_strerror(why));
    return false;
  }
  g_autofree char *path = g_build_filename(options->data_dir, ANNALS_DATA_DIR_STORE, NULL);
  g_autofree char *ballast = g_build_filename(options->data_dir, ANNALS_DATA_DIR_BALLAST, NULL);
  if (!check_restored(options->data_dir, path, error)) {
    return false;
  }
  struct annals_rocksdb_options rocksdb = {
      .path = path,
      .worker_threads = server->resources.store_threads,
      .tuning = server->resources.store,
      .min_free_bytes = (uint64_t)options->min_free_space << 20,
      .observer = annals_store_metrics_observer(server->store_metrics),
      .ballast_path = ballast,
      .ballast_bytes = (uint64_t)options->ballast << 20,
      .on_room = {.call = log_room},
  };
  struct annals_migration migration;
  annals_migration_init(&migration, server->schema, &rocksdb);
  bool ok = annals_rocksdb_open(&rocksdb, &server->store, error);
  annals_migration_clear(&migration);
  if (!ok) {
    advise(error);
    return false;
  }
  server->probe = (struct annals_health_probe){
      .why_dead = why_dead,
      .what_is_amiss = what_is_amiss,
      .context = server->store,
  };
  annals_health_set_probe(&server->health, &server->probe);
  return annals_store_metrics_start(server->store_metrics, server->store, error);
}

static bool read_token_key(void *context, GError **error) {
  struct annals_server *server = context;
  return annals_token_key_reload(server->token_key, error);
}

/* The key in the data directory is the server's own: nobody else changes it. */
static bool load_token_key(struct annals_server *server, const struct annals_options *options,
                           GError **error) {
  if (*options->page_token_key_file != '\0') {
    const char *paths[] = {options->page_token_key_file, NULL};
    annals_reload_add(server->trust->reload, "page token keys", paths, read_token_key, server);
    server->token_key = annals_token_key_load(options->page_token_key_file, error);
  } else {
    server->token_key_path = g_build_filename(options->data_dir, ANNALS_DATA_DIR_TOKEN_KEY, NULL);
    server->token_key = annals_token_key_load_or_create(server->token_key_path, error);
  }
  return server->token_key != NULL;
}

static bool open_key_service(struct annals_server *server, const struct annals_options *options,
                             GError **error) {
  server->key_service =
      annals_key_service_new(options, server->trust->reload, server->metrics, error);
  if (server->key_service == NULL) {
    return false;
  }
  if (annals_key_service_data_keys(server->key_service) != NULL) {
    annals_wiping_start();
  }
  return true;
}

static bool read_encryption(struct annals_server *server, const struct annals_options *options,
                            GError **error) {
  const char *path = options->config != NULL ? options->config : "";
  const bool has_keys = annals_key_service_data_keys(server->key_service) != NULL;
  server->encryption = annals_encryption_config_read(path, has_keys, error);
  return server->encryption != NULL;
}

static void make_history(struct annals_server *server, const struct annals_options *options) {
  server->history = annals_history_new(&(struct annals_history_options){
      .store = server->store,
      .schema = server->schema,
      .token_key = server->token_key,
      .quotas = server->quotas,
      .data_keys = annals_key_service_data_keys(server->key_service),
      .encryption = server->encryption,
      .backup_dir = server->backup_dir,
      .backup_beside = server->token_key_path,
      .page_token_ttl_s = options->page_token_ttl,
  });
}

static bool start_gateway(struct annals_server *server, GError **error) {
  struct annals_gateway_options options = {
      .listen_socket = server->gateway_socket,
      .history = server->history,
      .thread_count = server->resources.transport_threads,
      .keyring = server->trust->keyring,
      .metrics = server->metrics,
      .region = server->region,
      .tls = server->trust->tls,
      .call_log = &server->call_log,
      .reply_bytes_max = server->resources.reply_bytes_max,
      .stop_timeout_ms = (unsigned)MAX(server->drain_timeout_ms, 1),
  };
  if (!annals_gateway_start(&options, &server->gateway, error)) {
    return false;
  }
  server->gateway_socket = -1;
  return true;
}

bool annals_server_start(const struct annals_options *options, struct annals_server **ret_server,
                         GError **error) {
  struct annals_server *server = g_new0(struct annals_server, 1);
  server->ops_socket = -1;
  server->gateway_socket = -1;
  server->schema = annals_schema_new();
  server->drain_timeout_ms = to_ms(options->drain_timeout);
  server->backup_dir =
      *options->backup_dir == '\0' ? NULL : g_canonicalize_filename(options->backup_dir, NULL);
  server->region = *options->region == '\0' ? NULL : g_strdup(options->region);
  server->metrics = annals_metrics_new();
  server->call_log.options = (struct annals_call_log_options){
      .slow_us = options->slow_call * 1000,
      .sample = options->log_sample,
      .trace_sample = options->trace_sample,
  };
  annals_process_metrics_add(server->metrics);
  server->store_metrics = annals_store_metrics_new(server->metrics);
  server->trust = annals_trust_new(options, server->metrics, error);
  if (server->trust == NULL || !annals_resources_read(options, &server->resources, error) ||
      !read_quotas(server, options, error) || !read_retention(server, options, error) ||
      !open_key_service(server, options, error) || !read_encryption(server, options, error) ||
      !take_ports(server, options, error) || !start_tracing(server, options, error) ||
      !start_ops(server, error) || !open_store(server, options, error) ||
      !load_token_key(server, options, error)) {
    annals_server_free(server);
    return false;
  }
  make_history(server, options);
  if (!start_gateway(server, error) ||
      !annals_retention_thread_start(server->retention, server->history, error)) {
    annals_server_free(server);
    return false;
  }
  annals_rpc_server_start(server->rpc, server->history);
  annals_health_set_phase(&server->health, ANNALS_HEALTH_READY);
  server->drain_delay_ms = to_ms(options->drain_delay); /* nobody waits for one that never ran */
  *ret_server = server;
  return true;
}

bool annals_server_is_live(const struct annals_server *server, const char **ret_why) {
  return annals_health_is_live(&server->health, ret_why);
}

void annals_server_reload(struct annals_server *server, bool all) {
  annals_reload_look(server->trust->reload, all);
}

char *annals_server_addresses(const struct annals_server *server) {
  g_autofree char *grpc = grpc_address(server);
  return g_strdup_printf("grpc=%s gateway=%s ops=%s", grpc, server->gateway_address,
                         server->ops_address);
}

static void close_socket(int socket) {
  if (socket >= 0) {
    close(socket);
  }
}

/* The calls of both have the drain timeout from the same moment on: when it is over for one, none
 * waits for keys any more. */
static void stop_transports(struct annals_server *server) {
  const gint64 end_us = g_get_monotonic_time() + (gint64)server->drain_timeout_ms * 1000;
  if (server->rpc != NULL) {
    annals_rpc_server_drain(server->rpc);
  }
  annals_gateway_free(server->gateway);
  if (server->rpc != NULL) {
    const gint64 left_us = end_us - g_get_monotonic_time();
    annals_rpc_server_stop(server->rpc, (int)(MAX(left_us, 0) / 1000));
    annals_rpc_server_free(server->rpc);
  }
}

void annals_server_free(struct annals_server *server) {
  if (server == NULL) {
    return;
  }
  annals_health_set_phase(&server->health, ANNALS_HEALTH_DRAINING);
  annals_retention_thread_free(server->retention);
  g_usleep((gulong)server->drain_delay_ms * MS_PER_SECOND);
  stop_transports(server);
  annals_otlp_exporter_free(server->exporter);
  annals_health_set_probe(&server->health, NULL);
  annals_ops_server_free(server->ops);
  annals_store_metrics_stop(server->store_metrics);
  annals_history_free(server->history);
  annals_schema_free(server->schema);
  annals_encryption_policy_free(server->encryption);
  annals_key_service_free(server->key_service);
  annals_token_key_free(server->token_key);
  if (server->store != NULL) {
    server->store->ops->close(server->store);
  }
  annals_store_metrics_free(server->store_metrics);
  close_socket(server->ops_socket);
  close_socket(server->gateway_socket);
  g_free(server->ops_address);
  g_free(server->gateway_address);
  g_free(server->grpc_host);
  annals_quotas_free(server->quotas);
  g_free(server->region);
  g_free(server->backup_dir);
  g_free(server->token_key_path);
  annals_trust_free(server->trust);
  annals_metrics_free(server->metrics);
  g_free(server);
}
