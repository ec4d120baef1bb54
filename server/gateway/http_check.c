#include "server/gateway/http_check.h"

#include <stdint.h>
#include <string.h>

enum single {
  SINGLE_CONTENT_LENGTH,
  SINGLE_TRANSFER_ENCODING,
  SINGLE_HOST,
  SINGLE_CONTENT_TYPE,
  SINGLE_TARGET,
  SINGLE_NONE,
};

G_STATIC_ASSERT((int)SINGLE_NONE == (int)ANNALS_HTTP_SINGLE_COUNT);

static const struct {
  const char *name;
  const char *repeated;
} singles[] = {
    [SINGLE_CONTENT_LENGTH] = {"Content-Length", "Content-Length is repeated"},
    [SINGLE_TRANSFER_ENCODING] = {"Transfer-Encoding", "Transfer-Encoding is repeated"},
    [SINGLE_HOST] = {"Host", "Host is repeated"},
    [SINGLE_CONTENT_TYPE] = {"Content-Type", "Content-Type is repeated"},
    [SINGLE_TARGET] = {"X-Amz-Target", "X-Amz-Target is repeated"},
};

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

/* RFC 9110, section 7.2: a host and perhaps a port, also of IPv6; empty is fine. */
static bool is_host(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (!g_ascii_isalnum(text[i]) && strchr("-._~%!$&'()*+;=:[]", text[i]) == NULL) {
      return false;
    }
  }
  return true;
}

static enum single single_of(const char *name, size_t name_size) {
  enum single single = 0;
  while (single < SINGLE_NONE && !equal(name, name_size, singles[single].name)) {
    single++;
  }
  return single;
}

static const char *problem_of(struct annals_http_check *check, const char *name, size_t name_size,
                              const char *value, size_t value_size) {
  if (!is_token(name, name_size)) {
    return "a header's name has characters that names do not have";
  }
  if (has_control(value, value_size)) {
    return "a header's value has control characters";
  }
  enum single single = single_of(name, name_size);
  if (single == SINGLE_NONE) {
    return NULL;
  }
  if (check->seen[single]) {
    return singles[single].repeated;
  }
  check->seen[single] = true;
  if (single == SINGLE_CONTENT_LENGTH && !is_digits(value, value_size)) {
    return "Content-Length is not a number";
  }
  /* With blanks behind it, libmicrohttpd does not know it and waits for the connection's end. */
  if (single == SINGLE_TRANSFER_ENCODING && !equal(value, value_size, "chunked")) {
    return "Transfer-Encoding is not chunked";
  }
  if (single == SINGLE_HOST && !is_host(value, value_size)) {
    return "Host is not a host and a port";
  }
  return NULL;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

void annals_http_check_header(struct annals_http_check *check, const char *name, size_t name_size,
                              const char *value, size_t value_size) {
  if (!equal(name, name_size, singles[SINGLE_TRANSFER_ENCODING].name)) {
    while (value_size > 0 && is_blank(value[value_size - 1])) {
      value_size--;
    }
  }
  const char *problem = problem_of(check, name, name_size, value, value_size);
  if (check->problem == NULL) {
    check->problem = problem;
  }
}

bool annals_http_request_line_is_plain(const char *method, const char *target,
                                       const char *version) {
  size_t method_size = strlen(method);
  size_t target_size = strlen(target);
  for (size_t i = 0; i < target_size; i++) {
    if (!g_ascii_isgraph(target[i])) {
      return false;
    }
  }
  return is_token(method, method_size) && target_size > 0 &&
         (uintptr_t)version == (uintptr_t)method + method_size + 1 + target_size + 1;
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
  bool is_1_1 = strcmp(version, "HTTP/1.1") == 0;
  if (check->problem != NULL) {
    return check->problem;
  }
  if (check->seen[SINGLE_CONTENT_LENGTH] && check->seen[SINGLE_TRANSFER_ENCODING]) {
    return "Content-Length and Transfer-Encoding exclude each other";
  }
  if (check->seen[SINGLE_TRANSFER_ENCODING] && !is_1_1) {
    return "Transfer-Encoding is not for this version of HTTP";
  }
  if (!is_1_1 && strcmp(version, "HTTP/1.0") != 0) {
    return "this version of HTTP is not supported";
  }
  if (is_1_1 && !check->seen[SINGLE_HOST]) {
    return "Host is missing";
  }
  return NULL;
}
