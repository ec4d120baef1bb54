/*
 * The JSON gateway: AWS Step Functions' operations over HTTP/1.1 or HTTPS, as AWS SDKs speak it.
 *
 * Floor 3. `POST /` with X-Amz-Target and a body of AWS JSON 1.0; operation.c has the table of what
 * is offered. Where AWS's behaviour is not known, this is what holds here:
 *   - An empty body stands for {}. Members that are null are absent; unknown ones are ignored; of a
 *     repeated one the last counts. 100.0 is an integer, 100.5 and 1E400 are not.
 *   - The Content-Type may carry parameters. A query string that is no signature is ignored, and so
 *     are expectations other than 100-continue. Nothing is compressed.
 *   - What operation is asked for is looked at before who asks, and both before the body.
 *   - Another path or method is UnknownOperationException with HTTP 404.
 *   - HTTP that could be read in two ways, or not at all, is refused with 400, a body over the
 *     limit with 413, a head over it with 431, another version of HTTP with 505. All of them, 404s,
 *     and answers to chunked bodies, whose chunks libmicrohttpd reads leniently, close the
 *     connection.
 *   - With a keyring, every request for an operation must be signed (sigv4.h).
 *   - Every answer has an x-amzn-RequestId, which stands in the log line of a failed call, too.
 *
 * A call runs on the thread that has its connection. Where a page has to wait for the disk, the
 * connection is suspended and the thread goes on with others.
 */
#ifndef ANNALS_SERVER_GATEWAY_GATEWAY_H_
#define ANNALS_SERVER_GATEWAY_GATEWAY_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/history/history.h"
#include "server/history/keyring.h"
#include "server/ops/call_log.h"
#include "server/ops/metrics.h"
#include "server/ops/tls.h"

G_BEGIN_DECLS

struct annals_gateway_options {
  int listen_socket;                /* listening, non-blocking: server/ops/listen.h */
  struct annals_history *history;   /* not owned; must outlive the gateway */
  struct annals_keyring *keyring;   /* the same; NULL: anybody may do everything */
  struct annals_metrics *metrics;   /* the same; NULL: nothing is measured */
  struct annals_call_log *call_log; /* the same; NULL: failures are logged */
  const char *region;               /* that signatures must be made for; NULL: any. The same */
  struct annals_tls *tls;           /* HTTPS; not owned; must outlive the gateway; NULL: HTTP */
  unsigned thread_count;            /* 0: one for each processor */
  unsigned connection_count_max; /* more wait to be accepted; 0: a quarter of the descriptors that
                                    the process may have, from 64 to 4,096 */
  unsigned connection_timeout_s; /* without a byte moving; 0: 60 */
  size_t body_bytes_max;         /* of a request; 0: 1 MiB */
  size_t reply_bytes_max;        /* made and not yet sent, of all connections; beyond it calls get
                                    ThrottlingException; 0: 512 MiB */
  unsigned stop_timeout_ms;      /* for answers on their way to slow clients, and for a key service
                                    on which others wait; 0: 10,000 */
};

struct annals_gateway;

#define ANNALS_GATEWAY_START_ERROR (annals_gateway_start_error_quark())
GQuark annals_gateway_start_error_quark(void);

/*
 * Starts to answer. Over TLS, clients are not asked for certificates: AWS's have none to show.
 *
 * Memory: options are copied. The socket is the gateway's from then on, and closed by
 *         annals_gateway_stop; on failure it stays the caller's. The caller frees ret_gateway.
 * Errors: ANNALS_GATEWAY_START_ERROR, when threads or descriptors are not to be had;
 *         ANNALS_TLS_ERROR, when GnuTLS cannot use what OpenSSL can.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_gateway_start(const struct annals_gateway_options *options,
                          struct annals_gateway **ret_gateway, GError **error);

/*
 * Takes no more connections, answers the requests that have come in (with `Connection: close`), and
 * returns when quiet: then nothing of the gateway touches the history any more. Requests that are
 * not whole are cut off after a second, answers that clients do not read after stop_timeout_ms;
 * operations of the history are waited for, however long they take; but not for a key service, from
 * then on. Idempotent. To be called from one thread.
 */
void annals_gateway_stop(struct annals_gateway *gateway);

/* Stops and frees. NULL is fine. */
void annals_gateway_free(struct annals_gateway *gateway);

G_END_DECLS

#endif
