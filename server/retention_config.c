#include "server/retention_config.h"

#include <string.h>

/* Where the reader is. */
struct reader {
  struct annals_retention_policy *policy;
  const char *path;
  int line;
  bool is_inside; /* the group */
};

static bool take_rule(struct reader *reader, char *line, GError **error) {
  g_autoptr(GError) why = NULL;
  char *equals = strchr(line, '=');
  if (equals == NULL) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "%s:%d: [retention] ARN = PERIOD is expected", reader->path, reader->line);
    return false;
  }
  *equals = '\0';
  const char *pattern = g_strchomp(line);
  if (!annals_retention_policy_add(reader->policy, pattern, g_strchug(equals + 1), &why)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s:%d: [retention] %s: %s",
                reader->path, reader->line, pattern, why->message);
    return false;
  }
  return true;
}

static bool take_line(struct reader *reader, char *line, GError **error) {
  reader->line++;
  g_strstrip(line);
  if (*line == '\0' || *line == '#') {
    return true;
  }
  if (*line == '[') {
    reader->is_inside = strcmp(line, "[retention]") == 0;
    return true;
  }
  return !reader->is_inside || take_rule(reader, line, error);
}

static bool read_file(struct annals_retention_policy *policy, const char *path, GError **error) {
  g_autofree char *text = NULL;
  g_autoptr(GError) why = NULL;
  struct reader reader = {.policy = policy, .path = path};
  if (!g_file_get_contents(path, &text, NULL, &why)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s", why->message);
    return false;
  }
  if (!g_utf8_validate(text, -1, NULL)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: not UTF-8 text", path);
    return false;
  }
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    if (!take_line(&reader, *line, error)) {
      return false;
    }
  }
  return true;
}

static bool read_option(const char *text, int64_t *ret_s, GError **error) {
  g_autoptr(GError) why = NULL;
  if (*text == '\0' || strcmp(text, "0") == 0) {
    *ret_s = ANNALS_RETENTION_NEVER;
    return true;
  }
  if (!annals_retention_period_parse(text, ret_s, &why)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--retention: %s", why->message);
    return false;
  }
  return true;
}

struct annals_retention_policy *annals_retention_config_read(const char *period, const char *path,
                                                             GError **error) {
  int64_t period_s;
  if (!read_option(period, &period_s, error)) {
    return NULL;
  }
  struct annals_retention_policy *policy = annals_retention_policy_new(period_s);
  if (*path != '\0' && !read_file(policy, path, error)) {
    annals_retention_policy_free(policy);
    return NULL;
  }
  return policy;
}
