#include "tests/bench/load.h"

#include <grpc/grpc_security.h>
#include <stdio.h>

enum { RECEIVE_BYTES_MAX = 64 * 1024 * 1024 };

grpc_channel *load_channel_new(const char *target) {
  grpc_arg list[] = {
      {.type = GRPC_ARG_INTEGER,
       .key = GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
       .value.integer = RECEIVE_BYTES_MAX},
      {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, .value.integer = 1},
      {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_ENABLE_HTTP_PROXY}};
  grpc_channel_args args = {.num_args = G_N_ELEMENTS(list), .args = list};
  grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
  grpc_channel *channel = grpc_channel_create(target, credentials, &args);
  grpc_channel_credentials_release(credentials);
  return channel;
}

GArray *load_latencies_new(void) {
  return g_array_new(FALSE, FALSE, sizeof(guint32));
}

void load_latencies_add(GArray *latencies_us, gint64 since_us) {
  guint32 took_us = (guint32)MAX(g_get_monotonic_time() - since_us, 0);
  g_array_append_val(latencies_us, took_us);
}

static gint compare(gconstpointer a, gconstpointer b) {
  guint32 x = *(const guint32 *)a;
  guint32 y = *(const guint32 *)b;
  return (x > y) - (x < y);
}

static guint32 latency_us(const GArray *latencies_us, double part) {
  return latencies_us->len == 0
             ? 0
             : g_array_index(latencies_us, guint32, (guint)((latencies_us->len - 1) * part));
}

void load_latencies_print(GArray *latencies_us) {
  g_array_sort(latencies_us, compare);
  printf(" p50_us=%u p99_us=%u p999_us=%u\n", latency_us(latencies_us, 0.5),
         latency_us(latencies_us, 0.99), latency_us(latencies_us, 0.999));
}
