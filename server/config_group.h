/*
 * A group of the configuration file whose keys are ARNs: `ARN = VALUE`, line by line.
 *
 * Floor 4. GLib's key files take no such keys: they have '*' and '/' in them.
 */
#ifndef ANNALS_SERVER_CONFIG_GROUP_H_
#define ANNALS_SERVER_CONFIG_GROUP_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

struct annals_config_group {
  const char *name;
  const char *value_name; /* what stands behind the =, for messages: PERIOD */
  bool (*take)(void *context, const char *pattern, const char *value, GError **error);
  void *context;
};

/*
 * Reads a group, which may be missing, or stand there in parts.
 *
 * Errors: G_OPTION_ERROR, one line that names the file, and the line with its key where take has
 *   said what is wrong.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_config_group_read(const struct annals_config_group *group, const char *path,
                              GError **error);

G_END_DECLS

#endif
