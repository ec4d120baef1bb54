/*
 * The export of spans, as options and environment say: none, unless one of them names a receiver.
 *
 * Floor 4.
 */
#ifndef ANNALS_SERVER_TRACING_H_
#define ANNALS_SERVER_TRACING_H_

#include <glib.h>
#include <stdbool.h>

#include "server/options.h"
#include "server/otlp/exporter.h"
#include "server/trust.h"

G_BEGIN_DECLS

/* Where the transports listen: HOST:PORT. */
struct annals_tracing_addresses {
  const char *grpc;
  const char *gateway;
};

/*
 * Starts to export, if that is wanted, and has trust's reload read the headers again.
 *
 * Memory: the caller frees ret_exporter, before trust; NULL: nothing is exported.
 * Errors: one line that names the option, the variable or the file, of the domain of what failed.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_tracing_start(const struct annals_options *options, struct annals_trust *trust,
                          const struct annals_tracing_addresses *addresses,
                          struct annals_otlp_exporter **ret_exporter, GError **error);

G_END_DECLS

#endif
