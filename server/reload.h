/*
 * Files that are read again when they change, without a restart: certificates, credentials, keys
 * of page tokens.
 *
 * Floor 4. The main thread looks at them every few seconds, as Kubernetes changes mounted secrets
 * without telling anybody, and reads them when it is told to. Where something cannot be read, what
 * was read before stays in force; that is logged, and reading is tried again.
 *
 * Threads: one.
 */
#ifndef ANNALS_SERVER_RELOAD_H_
#define ANNALS_SERVER_RELOAD_H_

#include <glib.h>
#include <stdbool.h>

#include "server/ops/metrics.h"

G_BEGIN_DECLS

enum { ANNALS_RELOAD_LOOK_S = 2 };

struct annals_reload;

/* metrics: where readings are counted; must outlive reload. */
struct annals_reload *annals_reload_new(struct annals_metrics *metrics);
void annals_reload_free(struct annals_reload *reload);

/*
 * Adds files that belong together. To be called before they are read for the first time, so that no
 * change in between is missed.
 *
 * what: `certificates`, for the log. paths: ended by NULL; copied. read: reads all of them; a
 * failure is one line that names the file. context: must outlive reload.
 */
void annals_reload_add(struct annals_reload *reload, const char *what, const char *const *paths,
                       bool (*read)(void *context, GError **error), void *context);

/*
 * Reads the files that have changed since they were read, and no more since the last look: some
 * that are being written are let be. All of them, and at once, if all.
 */
void annals_reload_look(struct annals_reload *reload, bool all);

G_END_DECLS

#endif
