#include "server/gateway/sigv4_canonical.h"

#include <stdlib.h>
#include <string.h>

#include "server/gateway/aws_error.h"

/* --- path --- */

/* The target's path and query, without scheme and authority of the absolute form. */
static const char *origin_form(const char *target) {
  const char *authority = strstr(target, "://");
  if (*target == '/' || authority == NULL) {
    return target;
  }
  const char *path = authority + strlen("://");
  return path + strcspn(path, "/?");
}

/* Where an empty segment, `.` or `..` is, there is none, and none before it. */
static void append_path(GString *out, const char *path, size_t size) {
  g_autofree char *text = g_strndup(path, size);
  g_auto(GStrv) segments = g_strsplit(text, "/", -1);
  g_autoptr(GPtrArray) kept = g_ptr_array_new();
  for (char **segment = segments; *segment != NULL; segment++) {
    if (strcmp(*segment, "..") == 0) {
      g_ptr_array_set_size(kept, (gint)MAX(kept->len, 1U) - 1);
    } else if (**segment != '\0' && strcmp(*segment, ".") != 0) {
      g_ptr_array_add(kept, *segment);
    }
  }
  for (guint i = 0; i < kept->len; i++) {
    g_string_append_c(out, '/');
    g_string_append_uri_escaped(out, kept->pdata[i], NULL, FALSE);
  }
  if (kept->len == 0 || (size > 0 && path[size - 1] == '/')) {
    g_string_append_c(out, '/');
  }
}

/* --- query --- */

const char *annals_sigv4_query(const char *target) {
  const char *mark = strchr(target, '?');
  return mark == NULL ? "" : mark + 1;
}

static bool is_unreserved(char c) {
  return g_ascii_isalnum(c) || (c != '\0' && strchr("-._~", c) != NULL);
}

/* Encodes what may be encoded already, in whatever way. */
static char *encode(const char *text, size_t size) {
  GString *out = g_string_new(NULL);
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    if (c == '%' && i + 2 < size && g_ascii_isxdigit(text[i + 1]) &&
        g_ascii_isxdigit(text[i + 2])) {
      c = (char)(g_ascii_xdigit_value(text[i + 1]) << 4 | g_ascii_xdigit_value(text[i + 2]));
      i += 2;
    }
    if (is_unreserved(c)) {
      g_string_append_c(out, c);
    } else {
      g_string_append_printf(out, "%%%02X", (unsigned char)c);
    }
  }
  return g_string_free(out, FALSE);
}

/* One parameter, encoded. */
struct parameter {
  char *name;
  char *value;
};

static void clear_parameter(gpointer data) {
  struct parameter *parameter = data;
  g_free(parameter->name);
  g_free(parameter->value);
}

static gint compare_parameters(gconstpointer a, gconstpointer b) {
  const struct parameter *left = a;
  const struct parameter *right = b;
  int order = strcmp(left->name, right->name);
  return order != 0 ? order : strcmp(left->value, right->value);
}

/* The signature of a presigned URL is not part of what it signs. */
static void append_query(GString *out, const char *query) {
  g_autoptr(GArray) parameters = g_array_new(FALSE, FALSE, sizeof(struct parameter));
  g_array_set_clear_func(parameters, clear_parameter);
  while (*query != '\0') {
    size_t size = strcspn(query, "&");
    size_t name_size = MIN(strcspn(query, "="), size);
    size_t value_at = MIN(name_size + 1, size);
    struct parameter parameter = {
        .name = encode(query, name_size),
        .value = encode(query + value_at, size - value_at),
    };
    if (size == 0 || strcmp(parameter.name, "X-Amz-Signature") == 0) {
      clear_parameter(&parameter);
    } else {
      g_array_append_val(parameters, parameter);
    }
    query += size + (query[size] == '&' ? 1 : 0);
  }
  g_array_sort(parameters, compare_parameters);
  for (guint i = 0; i < parameters->len; i++) {
    const struct parameter *parameter = &g_array_index(parameters, struct parameter, i);
    g_string_append_printf(out, "%s%s=%s", i == 0 ? "" : "&", parameter->name, parameter->value);
  }
}

/* --- headers --- */

/* By name, and those of one name as they came. */
static int compare_headers(const void *a, const void *b) {
  const struct annals_sigv4_header *const *left = a;
  const struct annals_sigv4_header *const *right = b;
  int order = g_ascii_strcasecmp((*left)->name, (*right)->name);
  if (order != 0) {
    return order;
  }
  return *left < *right ? -1 : 1;
}

/* Without blanks at the ends, and with one where there are several. */
static void append_value(GString *out, const char *value) {
  static const char blanks[] = " \t\r\n";
  value += strspn(value, blanks);
  while (*value != '\0') {
    size_t word = strcspn(value, blanks);
    g_string_append_len(out, value, (gssize)word);
    value += word;
    value += strspn(value, blanks);
    if (*value != '\0') {
      g_string_append_c(out, ' ');
    }
  }
}

/* Both lists are in order: one walk over both. */
static bool append_headers(GString *out, const struct annals_sigv4_header **sorted, size_t count,
                           char *const *names, GError **error) {
  size_t at = 0;
  for (; *names != NULL; names++) {
    while (at < count && g_ascii_strcasecmp(sorted[at]->name, *names) < 0) {
      at++;
    }
    bool found = false;
    for (; at < count && g_ascii_strcasecmp(sorted[at]->name, *names) == 0; at++) {
      g_string_append(out, found ? "," : *names);
      g_string_append(out, found ? "" : ":");
      append_value(out, sorted[at]->value);
      found = true;
    }
    if (!found) {
      g_set_error(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE,
                  "The header '%s' is a 'SignedHeader' and is not in the request.", *names);
      return false;
    }
    g_string_append_c(out, '\n');
  }
  return true;
}

char *annals_sigv4_canonical_request(const struct annals_sigv4_request *request,
                                     char *const *signed_headers, const char *payload_hash,
                                     GError **error) {
  GString *out = g_string_new(request->method);
  const char *target = origin_form(request->target);
  g_string_append_c(out, '\n');
  append_path(out, target, strcspn(target, "?"));
  g_string_append_c(out, '\n');
  append_query(out, annals_sigv4_query(target));
  g_string_append_c(out, '\n');
  g_autofree const struct annals_sigv4_header **sorted =
      g_new(const struct annals_sigv4_header *, request->header_count + 1);
  for (size_t i = 0; i < request->header_count; i++) {
    sorted[i] = &request->headers[i];
  }
  qsort(sorted, request->header_count, sizeof *sorted, compare_headers);
  if (!append_headers(out, sorted, request->header_count, signed_headers, error)) {
    g_string_free(out, TRUE);
    return NULL;
  }
  g_autofree char *names = g_strjoinv(";", (char **)signed_headers);
  g_string_append_printf(out, "\n%s\n%s", names, payload_hash);
  return g_string_free(out, FALSE);
}
