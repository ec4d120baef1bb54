/*
 * Which executions are encrypted under which keys, as the group [encryption] of the configuration
 * file says it: `ARN = KEY`, `ARN = KEY SECONDS` or `ARN = none`.
 *
 * Floor 4.
 */
#ifndef ANNALS_SERVER_ENCRYPTION_CONFIG_H_
#define ANNALS_SERVER_ENCRYPTION_CONFIG_H_

#include "server/history/encryption.h"

G_BEGIN_DECLS

/*
 * Reads the policy. path: the configuration file; "": none. has_keys: there is a key service.
 *
 * Memory: the caller frees it.
 * Errors: G_OPTION_ERROR, one line that names the file, and its line and key; or that there is
 *   nowhere to have the keys from.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_encryption_policy *annals_encryption_config_read(const char *path, bool has_keys,
                                                               GError **error);

G_END_DECLS

#endif
