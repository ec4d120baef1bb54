#include "server/config_group.h"

#include <string.h>

/* Where the reader is. */
struct reader {
  const struct annals_config_group *group;
  const char *path;
  int line;
  bool is_inside; /* the group */
};

static bool take_pair(struct reader *reader, char *line, GError **error) {
  const struct annals_config_group *group = reader->group;
  g_autoptr(GError) why = NULL;
  char *equals = strchr(line, '=');
  if (equals == NULL) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s:%d: [%s] ARN = %s is expected",
                reader->path, reader->line, group->name, group->value_name);
    return false;
  }
  *equals = '\0';
  const char *pattern = g_strchomp(line);
  if (!group->take(group->context, pattern, g_strchug(equals + 1), &why)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s:%d: [%s] %s: %s", reader->path,
                reader->line, group->name, pattern, why->message);
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
    g_autofree char *heading = g_strdup_printf("[%s]", reader->group->name);
    reader->is_inside = strcmp(line, heading) == 0;
    return true;
  }
  return !reader->is_inside || take_pair(reader, line, error);
}

bool annals_config_group_read(const struct annals_config_group *group, const char *path,
                              GError **error) {
  g_autofree char *text = NULL;
  g_autoptr(GError) why = NULL;
  struct reader reader = {.group = group, .path = path};
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
