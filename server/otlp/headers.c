#include "server/otlp/headers.h"

#include <string.h>

#include "server/otlp/pairs.h"

/* What a name is made of. Source: RFC 9110, 5.6.2. */
static bool is_token(const char *name) {
  for (const char *c = name; *c != '\0'; c++) {
    if (!g_ascii_isalnum(*c) && strchr("!#$%&'*+-.^_`|~", *c) == NULL) {
      return false;
    }
  }
  return *name != '\0';
}

/* Visible characters and blanks: a line break would begin another header. */
static bool is_value(const char *value) {
  for (const char *c = value; *c != '\0'; c++) {
    if (!g_ascii_isprint(*c)) {
      return false;
    }
  }
  return *value != '\0';
}

static bool add(GPtrArray *headers, const char *name, const char *value) {
  if (!is_token(name) || !is_value(value)) {
    return false;
  }
  g_ptr_array_add(headers, g_strconcat(name, ": ", value, NULL));
  return true;
}

static bool add_line(GPtrArray *headers, char *line) {
  g_strstrip(line);
  if (*line == '\0' || *line == '#') {
    return true;
  }
  char *colon = strchr(line, ':');
  if (colon == NULL) {
    return false;
  }
  *colon = '\0';
  return add(headers, line, g_strchug(colon + 1));
}

static GStrv end(GPtrArray *headers) {
  g_ptr_array_add(headers, NULL);
  return (GStrv)g_ptr_array_free(headers, FALSE);
}

static GStrv refuse(GPtrArray *headers, const char *what, guint number, GError **error) {
  g_ptr_array_free(headers, TRUE);
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s %u is not a header", what,
              number);
  return NULL;
}

GStrv annals_otlp_headers_parse(const char *text, GError **error) {
  GPtrArray *headers = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    if (!add_line(headers, lines[i])) {
      return refuse(headers, "line", i + 1, error);
    }
  }
  return end(headers);
}

GStrv annals_otlp_headers_of(const GArray *pairs, GError **error) {
  GPtrArray *headers = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < pairs->len; i++) {
    const struct annals_pair *pair = &g_array_index(pairs, struct annals_pair, i);
    if (!add(headers, pair->name, pair->value)) {
      return refuse(headers, "pair", i + 1, error);
    }
  }
  return end(headers);
}
