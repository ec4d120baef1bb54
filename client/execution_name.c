#include "client/execution_name.h"

#include <stdbool.h>
#include <string.h>

enum { NAME_CHARS_MAX = 80, NAME_CHARS_KEPT = 71, HASH_CHARS = 8 };

/* Cuts off the first of the suffixes that the name has. */
static void cut_suffix(char *name, const char *const *suffixes) {
  for (; *suffixes != NULL; suffixes++) {
    if (g_str_has_suffix(name, *suffixes)) {
      name[strlen(name) - strlen(*suffixes)] = '\0';
      return;
    }
  }
}

static char *base_name(const char *path) {
  static const char *const compressed[] = {".gz", NULL};
  static const char *const json[] = {".json", ".jsonl", ".ndjson", NULL};
  const char *slash = strrchr(path, '/');
  char *name = g_strdup(slash != NULL ? slash + 1 : path);
  cut_suffix(name, compressed);
  cut_suffix(name, json);
  return name;
}

static bool is_allowed(gunichar c) {
  static const char refused[] = "<>{}[]?*\"#%\\^|~`$&,;:/";
  if (c < 0x80) {
    return c > ' ' && c != 0x7f && strchr(refused, (int)c) == NULL;
  }
  return c > 0x9f && !g_unichar_isspace(c) && c != 0xfffe && c != 0xffff;
}

static bool check(const char *name, GError **error) {
  if (name[0] == '\0') {
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_NAME, "the file's name is empty");
    return false;
  }
  if (!g_utf8_validate(name, -1, NULL)) {
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_NAME, "the file's name is not UTF-8");
    return false;
  }
  for (const char *at = name; *at != '\0'; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (is_allowed(c)) {
      continue;
    }
    char text[7] = {0};
    g_unichar_to_utf8(c, text);
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_NAME,
                "the name of an execution may not hold '%s' (U+%04X): use --execution-arn", text,
                c);
    return false;
  }
  return true;
}

static char *shorten(const char *name) {
  if (g_utf8_strlen(name, -1) <= NAME_CHARS_MAX) {
    return g_strdup(name);
  }
  g_autofree char *kept = g_utf8_substring(name, 0, NAME_CHARS_KEPT);
  g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);
  return g_strdup_printf("%s-%.*s", kept, (int)HASH_CHARS, hash);
}

char *annals_execution_arn_for_file(const char *prefix, const char *path, GError **error) {
  g_autofree char *whole = base_name(path);
  if (!check(whole, error)) {
    return NULL;
  }
  g_autofree char *name = shorten(whole);
  return g_strconcat(prefix, g_str_has_suffix(prefix, ":") ? "" : ":", name, NULL);
}
