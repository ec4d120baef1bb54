/* What load generators on gRPC's C core have in common. */
#ifndef ANNALS_TESTS_BENCH_LOAD_H_
#define ANNALS_TESTS_BENCH_LOAD_H_

#include <glib.h>
#include <grpc/grpc.h>

G_BEGIN_DECLS

/* A channel with a connection of its own, which takes large messages. Never destroyed. */
grpc_channel *load_channel_new(const char *target);

/* How long calls took: of guint32, in microseconds. */
GArray *load_latencies_new(void);
void load_latencies_add(GArray *latencies_us, gint64 since_us);

/* Prints ` p50_us=L p99_us=L p999_us=L` and the end of the line. */
void load_latencies_print(GArray *latencies_us);

G_END_DECLS

#endif
