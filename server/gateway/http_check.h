/*
 * HTTP that two readers could read in two ways.
 *
 * Floor 3, private to the gateway. libmicrohttpd takes much that a proxy in front of it may take in
 * another way, and what is body to one is a second request to the other. Such requests are refused
 * by their heads, before a byte of a body is looked at.
 * Source: RFC 9112, sections 5 and 6; experiments with libmicrohttpd 0.9.75.
 */
#ifndef ANNALS_SERVER_GATEWAY_HTTP_CHECK_H_
#define ANNALS_SERVER_GATEWAY_HTTP_CHECK_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

G_BEGIN_DECLS

/* Headers of which two readers may take different ones when there are several. Those of signatures
   are sigv4.h's. */
enum { ANNALS_HTTP_SINGLE_COUNT = 5 };

/* Zero it before use. */
struct annals_http_check {
  bool seen[ANNALS_HTTP_SINGLE_COUNT];
  const char *problem; /* the first one found */
};

/* Takes one header, in the order they came. */
void annals_http_check_header(struct annals_http_check *check, const char *name, size_t name_size,
                              const char *value, size_t value_size);

/*
 * Tells whether the request line stood in the request as `METHOD TARGET VERSION`, one space between
 * them, with nothing but visible ASCII in the target.
 *
 * libmicrohttpd 0.9.75 skips spaces before the target and searches the version from the end, so
 * that spaces may stand in the target; a NUL in it ends the text that it hands out, as if it had
 * been `/`. target is its copy; method and version are strings that come from libmicrohttpd.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_http_request_line_is_plain(const char *method, const char *target, const char *version);

/*
 * Tells whether a header's line stood in the request as `name: value` CRLF, all in one piece; for
 * the end of the request line, name and value are both its version.
 *
 * libmicrohttpd 0.9.75 reads heads in place: it puts NULs where the colon and the line's end were
 * and hands out pointers to what is between. That tells what it does not: a folded line (whose
 * continuation it appends to the *name*, so that `Content-Lengt: 9` CRLF ` h` becomes a length), a
 * line that ends with LF or CR alone. Only for strings that come from libmicrohttpd.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_http_line_is_plain(const char *name, size_t name_size, const char *value,
                               size_t value_size);

/*
 * Tells whether the head of a request ends with an empty line behind its last line that was handed
 * out: last is the end of that line's text, head the request's first byte.
 *
 * libmicrohttpd 0.9.75 takes a line that begins with a colon for the end of the head: what follows
 * is body to it, or the next request. Only for strings that come from libmicrohttpd.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_http_head_is_whole(const char *head, size_t head_size, const char *last);

/*
 * Ends the check. Returns NULL, or a static sentence that says what is wrong.
 * version is as in the request: `HTTP/1.1`, which asks for a Host, or `HTTP/1.0`.
 */
const char *annals_http_check_end(const struct annals_http_check *check, const char *version);

G_END_DECLS

#endif
