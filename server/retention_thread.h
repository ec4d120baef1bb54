/*
 * The thread that deletes executions some time after they have ended, as options and configuration
 * file say.
 *
 * Floor 4. One pass after another (retention.h), each with a line in the log.
 */
#ifndef ANNALS_SERVER_RETENTION_THREAD_H_
#define ANNALS_SERVER_RETENTION_THREAD_H_

#include "server/history/history.h"
#include "server/options.h"
#include "server/reload.h"

G_BEGIN_DECLS

struct annals_retention_thread;

/*
 * Makes one that does not run yet, and has the configuration file read again when it changes.
 *
 * Memory: it outlives the last look of reload, and metrics outlive it.
 * Errors: those of annals_retention_config_read.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_retention_thread *annals_retention_thread_new(const struct annals_options *options,
                                                            struct annals_reload *reload,
                                                            struct annals_metrics *metrics,
                                                            GError **error);

/* Starts it. Memory: history outlives it. Errors: G_THREAD_ERROR. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_retention_thread_start(struct annals_retention_thread *thread,
                                   struct annals_history *history, GError **error);

/* Stops it, when a deletion under way is done, and frees it. NULL is fine. */
void annals_retention_thread_free(struct annals_retention_thread *thread);

G_END_DECLS

#endif
