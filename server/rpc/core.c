#include "server/rpc/core.h"

#include <grpc/grpc_security.h>

enum {
  CONNECTION_STREAMS_DEFAULT = 1000,
  KEEPALIVE_TIMEOUT_MS_DEFAULT = 20000,
  HANDSHAKE_TIMEOUT_MS = 20000,
  CORE_BYTES_DEFAULT = 512 * 1024 * 1024,
  ARGS_MAX = 24,
};

struct args {
  grpc_arg list[ARGS_MAX];
  size_t count;
  grpc_resource_quota *quota;
};

static void add(struct args *args, const char *key, int value) {
  g_assert(args->count < ARGS_MAX);
  args->list[args->count++] =
      (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static int or_default(int value, int initial) {
  return value != 0 ? value : initial;
}

static void add_messages(struct args *args) {
  /* Probing widens the windows of streams to megabytes, which the transport then buffers for
   * calls that still wait for admission: 680 MiB resident instead of 360 at 64 appends of
   * 4 MiB beside 64 readers. The window of a message that is being received grows anyway. */
  add(args, GRPC_ARG_HTTP2_BDP_PROBE, 0);
  add(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, ANNALS_RPC_RECEIVE_BYTES_MAX);
  /* The core would look at the size of a message only when it has been decompressed. */
  add(args, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  add(args, GRPC_ARG_MAX_METADATA_SIZE, ANNALS_RPC_METADATA_BYTES_MAX);
}

static void add_connections(struct args *args, const struct annals_rpc_options *options) {
  /* Two servers on one port would share its calls silently. */
  add(args, GRPC_ARG_ALLOW_REUSEPORT, 0);
  add(args, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS);
  add(args, GRPC_ARG_MAX_CONCURRENT_STREAMS,
      or_default((int)options->connection_streams_max, CONNECTION_STREAMS_DEFAULT));
  add(args, GRPC_ARG_KEEPALIVE_TIME_MS, or_default(options->keepalive_ms, G_MAXINT));
  add(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
      or_default(options->keepalive_timeout_ms, KEEPALIVE_TIMEOUT_MS_DEFAULT));
  /* On connections without calls, or on which nothing is sent, it is as useful. */
  add(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  add(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  add(args, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      options->client_ping_interval_ms);
  add(args, GRPC_ARG_MAX_CONNECTION_IDLE_MS, or_default(options->connection_idle_ms, G_MAXINT));
  add(args, GRPC_ARG_MAX_CONNECTION_AGE_MS, or_default(options->connection_age_ms, G_MAXINT));
  add(args, GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
      or_default(options->connection_age_grace_ms, G_MAXINT));
}

/*
 * The last resort. The core of 1.51 looks at the size of a message when it has all of it, also
 * before it hands over the call: so anybody could send one of 4 GiB. Beyond the quota it closes
 * idle connections, then cuts off streams, one of each connection, with ENHANCE_YOUR_CALM, until
 * there is enough; whoever's they are, and with nothing that clients could go by. So it is to be
 * more than well-meaning clients bring it to.
 */
static void add_quota(struct args *args, size_t bytes_max) {
  grpc_resource_quota *quota = grpc_resource_quota_create("annals");
  grpc_resource_quota_resize(quota, bytes_max);
  g_assert(args->count < ARGS_MAX);
  args->list[args->count++] = (grpc_arg){
      .type = GRPC_ARG_POINTER,
      .key = (char *)GRPC_ARG_RESOURCE_QUOTA,
      .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()},
  };
  args->quota = quota;
}

grpc_server *annals_rpc_core_new(const struct annals_rpc_options *options) {
  struct args args = {.count = 0};
  add_messages(&args);
  add_connections(&args, options);
  add_quota(&args, options->core_bytes_max != 0 ? options->core_bytes_max : CORE_BYTES_DEFAULT);
  grpc_channel_args channel_args = {.num_args = args.count, .args = args.list};
  grpc_server *core = grpc_server_create(&channel_args, NULL);
  grpc_resource_quota_unref(args.quota);
  return core;
}

int annals_rpc_core_bind(grpc_server *core, const struct annals_rpc_options *options,
                         struct annals_rpc_tls *tls) {
  grpc_server_credentials *credentials = options->tls != NULL
                                             ? annals_rpc_tls_credentials_new(tls, options->tls)
                                             : grpc_insecure_server_credentials_create();
  int port = grpc_server_add_http2_port(core, options->address, credentials);
  grpc_server_credentials_release(credentials);
  return port;
}
