#include "server/otlp/pairs.h"

#include <string.h>

static void clear_pair(gpointer data) {
  struct annals_pair *pair = data;
  g_free(pair->name);
  g_free(pair->value);
}

GArray *annals_pairs_new(void) {
  GArray *pairs = g_array_new(FALSE, FALSE, sizeof(struct annals_pair));
  g_array_set_clear_func(pairs, clear_pair);
  return pairs;
}

void annals_pairs_set(GArray *pairs, const char *name, const char *value) {
  for (guint i = 0; i < pairs->len; i++) {
    struct annals_pair *pair = &g_array_index(pairs, struct annals_pair, i);
    if (strcmp(pair->name, name) == 0) {
      g_free(pair->value);
      pair->value = g_strdup(value);
      return;
    }
  }
  const struct annals_pair pair = {.name = g_strdup(name), .value = g_strdup(value)};
  g_array_append_val(pairs, pair);
}

static bool parse_pair(char *text, guint number, GArray *pairs, GError **error) {
  char *equals = strchr(text, '=');
  g_autofree char *name = g_strndup(text, equals == NULL ? 0 : (gsize)(equals - text));
  g_strstrip(name);
  g_autofree char *value =
      equals == NULL ? NULL : g_uri_unescape_string(g_strchug(equals + 1), NULL);
  if (*name == '\0' || value == NULL || !g_utf8_validate(value, -1, NULL)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "pair %u is not NAME=VALUE",
                number);
    return false;
  }
  annals_pairs_set(pairs, name, value);
  return true;
}

bool annals_pairs_parse(const char *text, GArray *pairs, GError **error) {
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);
  for (guint i = 0; parts[i] != NULL; i++) {
    g_strstrip(parts[i]);
    /* A comma too many says nothing. */
    if (*parts[i] != '\0' && !parse_pair(parts[i], i + 1, pairs, error)) {
      return false;
    }
  }
  return true;
}
