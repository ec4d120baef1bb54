/*
 * How long executions are kept, as the options and the configuration file say:
 *
 *   [retention]
 *   arn:aws:states:*:123456789012:stateMachine:Audit* = never
 *   arn:aws:states:*:123456789012:stateMachine:* = 30d
 *
 * The first pattern that fits a state machine counts; where none does, --retention.
 *
 * Floor 4. The group is read line by line rather than by GLib, which keeps the last of repeated
 * keys, and says nothing.
 */
#ifndef ANNALS_SERVER_RETENTION_CONFIG_H_
#define ANNALS_SERVER_RETENTION_CONFIG_H_

#include "server/history/retention_policy.h"

G_BEGIN_DECLS

/*
 * Reads the policy. period: of --retention; "" or 0: never. path: the configuration file; "": none.
 *
 * Memory: the caller frees it.
 * Errors: G_OPTION_ERROR, one line that names the option, or the file, its line and key.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_retention_policy *annals_retention_config_read(const char *period, const char *path,
                                                             GError **error);

G_END_DECLS

#endif
