#include "server/gateway/head.h"

#include <string.h>

#include "server/gateway/http_check.h"

enum {
  HEAD_BYTES_MAX = ANNALS_CONNECTION_MEMORY_BYTES - 2 * 1024,
  /* libmicrohttpd's struct for each header and cookie. */
  HEADER_BYTES = 64,
};

static size_t header_size(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  return info->header_size;
}

static enum MHD_Result add_cookies(void *context, G_GNUC_UNUSED enum MHD_ValueKind kind,
                                   const char *name, G_GNUC_UNUSED size_t name_size,
                                   G_GNUC_UNUSED const char *value, size_t value_size) {
  size_t *bytes = context;
  if (g_ascii_strcasecmp(name, MHD_HTTP_HEADER_COOKIE) == 0) {
    *bytes += value_size;
  }
  return MHD_YES;
}

bool annals_head_is_too_large(struct MHD_Connection *connection) {
  size_t bytes = header_size(connection);
  /* Cookies are copied, to be taken apart. */
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_cookies, &bytes);
  int count =
      MHD_get_connection_values_n(connection, MHD_HEADER_KIND | MHD_COOKIE_KIND, NULL, NULL);
  return bytes + (size_t)count * HEADER_BYTES > HEAD_BYTES_MAX;
}

struct head {
  struct annals_http_check check;
  bool plain;
  const char *last; /* where the last line's text ends */
};

static enum MHD_Result take_header(void *context, G_GNUC_UNUSED enum MHD_ValueKind kind,
                                   const char *name, size_t name_size, const char *value,
                                   size_t value_size) {
  struct head *head = context;
  annals_http_check_header(&head->check, name, name_size, value, value_size);
  head->plain = head->plain && annals_http_line_is_plain(name, name_size, value, value_size);
  head->last = MAX(head->last, value + value_size);
  return MHD_YES;
}

const char *annals_head_problem(struct MHD_Connection *connection, const char *method,
                                const char *target, const char *version) {
  const size_t size = strlen(version);
  struct head head = {
      .plain = annals_http_line_is_plain(version, size, version, size),
      .last = version + size,
  };
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_header, &head);
  const char *problem = annals_http_check_end(&head.check, version);
  if (problem == NULL && !annals_http_request_line_is_plain(method, target, version)) {
    problem = "the request line is not METHOD TARGET VERSION";
  }
  if (problem == NULL && !head.plain) {
    problem = "a line is folded or does not end with CRLF";
  }
  /* method: the first word of the head, and with it the head's first byte. */
  if (problem == NULL && !annals_http_head_is_whole(method, header_size(connection), head.last)) {
    problem = "a header has no name";
  }
  return problem;
}
