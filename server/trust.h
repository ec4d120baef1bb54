/*
 * How the server shows who it is, and how it finds out who calls: what the options say of it, read
 * from their files and read again when these change.
 *
 * Floor 4.
 */
#ifndef ANNALS_SERVER_TRUST_H_
#define ANNALS_SERVER_TRUST_H_

#include <glib.h>
#include <stdbool.h>

#include "server/history/keyring.h"
#include "server/ops/tls.h"
#include "server/options.h"
#include "server/reload.h"

G_BEGIN_DECLS

struct annals_trust {
  struct annals_metrics *metrics;
  struct annals_reload *reload;
  struct annals_tls *tls;         /* NULL: without TLS */
  struct annals_keyring *keyring; /* NULL: callers are not asked who they are */
};

/*
 * Reads the files that the options name.
 *
 * A certificate whose time is over is served all the same, with a warning in the log.
 * metrics: where readings are counted, and when the certificate expires; must outlive the result.
 * Memory: the caller frees the result.
 * Errors: one line that names the file or the option, of the domain of what failed.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_trust *annals_trust_new(const struct annals_options *options,
                                      struct annals_metrics *metrics, GError **error);
void annals_trust_free(struct annals_trust *trust);

/*
 * Tells why others than this machine should not reach a listener: gives a static sentence, or NULL
 * where callers prove who they are, and nobody on the way can read how.
 */
const char *annals_trust_grpc_problem(const struct annals_trust *trust,
                                      const struct annals_options *options);
const char *annals_trust_gateway_problem(const struct annals_trust *trust,
                                         const struct annals_options *options);

G_END_DECLS

#endif
