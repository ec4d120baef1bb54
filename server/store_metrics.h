/*
 * What the store tells of itself, as metrics.
 *
 * Floor 4. The store's figures are taken on a thread of their own: a disk that does not answer
 * leaves them as they were, and the rest of /metrics alone.
 */
#ifndef ANNALS_SERVER_STORE_METRICS_H_
#define ANNALS_SERVER_STORE_METRICS_H_

#include <glib.h>

#include "server/ops/metrics.h"
#include "storage/store.h"

G_BEGIN_DECLS

struct annals_store_metrics;

/* Makes what a store is opened with. Memory: metrics must outlive the result; the caller frees it,
 * behind the store. */
struct annals_store_metrics *annals_store_metrics_new(struct annals_metrics *metrics);
void annals_store_metrics_free(struct annals_store_metrics *store_metrics);

/* Gives who counts the store's writes. */
struct annals_store_observer annals_store_metrics_observer(
    struct annals_store_metrics *store_metrics);

/*
 * Has the store asked for its figures whenever metrics are asked for, until
 * annals_store_metrics_stop, which waits for the answer to the last question.
 *
 * Errors: G_FILE_ERROR, when no thread can be had.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_store_metrics_start(struct annals_store_metrics *store_metrics,
                                struct annals_store *store, GError **error);
/* Idempotent; NULL is fine. */
void annals_store_metrics_stop(struct annals_store_metrics *store_metrics);

G_END_DECLS

#endif
