#include "server/gateway/http_check.h"

#include <stdint.h>
#include <string.h>

/* No head is longer: gateway.c gives connections less memory. */
enum { LINE_BYTES_MAX = 65536 };

/* RFC 9110, section 5.6.2: token. */
static bool is_token(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (!g_ascii_isalnum(text[i]) &&
        (text[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text[i]) == NULL)) {
      return false;
    }
  }
  return size > 0;
}

static bool is_digits(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (!g_ascii_isdigit(text[i])) {
      return false;
    }
  }
  return size > 0;
}

static bool equal(const char *text, size_t size, const char *other) {
  return size == strlen(other) && g_ascii_strncasecmp(text, other, size) == 0;
}

static bool has_control(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (g_ascii_iscntrl(text[i]) && text[i] != '\t') {
      return true;
    }
  }
  return false;
}

static const char *problem_of(struct annals_http_check *check, const char *name, size_t name_size,
                              const char *value, size_t value_size) {
  if (!is_token(name, name_size)) {
    return "a header's name has characters that names do not have";
  }
  if (has_control(value, value_size)) {
    return "a header's value has control characters";
  }
  if (equal(name, name_size, "Content-Length")) {
    if (check->length_count++ > 0) {
      return "Content-Length is repeated";
    }
    return is_digits(value, value_size) ? NULL : "Content-Length is not a number";
  }
  if (equal(name, name_size, "Transfer-Encoding")) {
    if (check->encoding_count++ > 0) {
      return "Transfer-Encoding is repeated";
    }
    return equal(value, value_size, "chunked") ? NULL : "Transfer-Encoding is not chunked";
  }
  if (equal(name, name_size, "Host") && check->host_count++ > 0) {
    return "Host is repeated";
  }
  return NULL;
}

void annals_http_check_header(struct annals_http_check *check, const char *name, size_t name_size,
                              const char *value, size_t value_size) {
  while (value_size > 0 && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t')) {
    value_size--;
  }
  const char *problem = problem_of(check, name, name_size, value, value_size);
  if (check->problem == NULL) {
    check->problem = problem;
  }
}

bool annals_http_line_is_plain(const char *name, size_t name_size, const char *value,
                               size_t value_size) {
  if (value != name) {
    size_t gap = (uintptr_t)value - (uintptr_t)(name + name_size);
    if (gap == 0 || gap > LINE_BYTES_MAX || name[name_size] != '\0') {
      return false;
    }
    for (size_t i = 1; i < gap; i++) {
      if (name[name_size + i] != ' ' && name[name_size + i] != '\t') {
        return false;
      }
    }
  }
  return value[value_size] == '\0' && value[value_size + 1] == '\0';
}

bool annals_http_head_is_whole(const char *head, size_t head_size, const char *last) {
  const size_t crlf = 2;
  return (uintptr_t)head + head_size == (uintptr_t)last + crlf + crlf;
}

const char *annals_http_check_end(const struct annals_http_check *check, const char *version) {
  if (check->problem != NULL) {
    return check->problem;
  }
  if (check->length_count > 0 && check->encoding_count > 0) {
    return "Content-Length and Transfer-Encoding exclude each other";
  }
  if (check->encoding_count > 0 && strcmp(version, "HTTP/1.1") != 0) {
    return "Transfer-Encoding needs HTTP/1.1";
  }
  return NULL;
}
