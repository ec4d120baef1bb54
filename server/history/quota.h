/*
 * How often principals may call operations: token buckets, as AWS's quotas are.
 *
 * Floor 2. Each principal has a bucket of its own for each operation with a quota, and those whom
 * nobody asks who they are have one together. A bucket begins full; a call takes a token, and so
 * many come back each second. Memory is bounded by the credentials file: buckets are found by the
 * principal's name, so that they outlive a reload. One lock, a leaf.
 */
#ifndef ANNALS_SERVER_HISTORY_QUOTA_H_
#define ANNALS_SERVER_HISTORY_QUOTA_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/history/action.h"

G_BEGIN_DECLS

enum { ANNALS_QUOTA_MAX = 1000000 }; /* tokens, and tokens a second */

struct annals_quotas;

#define ANNALS_QUOTA_ERROR (annals_quota_error_quark())
GQuark annals_quota_error_quark(void);

/*
 * Reads quotas: `GetExecutionHistory=500:20,ListExecutions=100:5`, which is a bucket of 500 tokens
 * of which 20 come back each second, and so on. Of "" there are none.
 *
 * now_us: a clock that never goes back, in microseconds; NULL: the machine's.
 * Memory: the caller frees the quotas.
 * Errors: ANNALS_QUOTA_ERROR, saying what is wrong.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_quotas *annals_quotas_new(const char *text, int64_t (*now_us)(void *context),
                                        void *now_context, GError **error);

/* NULL is fine. */
void annals_quotas_free(struct annals_quotas *quotas);

/*
 * Takes a token for a call. quotas NULL: there are always some.
 *
 * Threads: any.
 * Errors: RATE_EXCEEDED, to be tried again when the next token has come.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_quotas_take(struct annals_quotas *quotas, const char *principal,
                        enum annals_action action, GError **error);

G_END_DECLS

#endif
