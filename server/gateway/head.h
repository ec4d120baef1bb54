/*
 * The head of a request, as libmicrohttpd has read it, before a byte of the body is looked at.
 *
 * Floor 3, private to the gateway.
 */
#ifndef ANNALS_SERVER_GATEWAY_HEAD_H_
#define ANNALS_SERVER_GATEWAY_HEAD_H_

#include <glib.h>
#include <microhttpd.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* What libmicrohttpd has for the head of a request and that of its answer. AWS session tokens have
   up to 4 KiB or so. */
enum { ANNALS_CONNECTION_MEMORY_BYTES = 32 * 1024 };

/*
 * Tells whether a head leaves no room for that of the answer. libmicrohttpd would close the
 * connection without one.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_head_is_too_large(struct MHD_Connection *connection);

/*
 * Tells what could be read in two ways: http_check.h. Returns NULL, or a static sentence.
 * target is as in the request line; method and version are libmicrohttpd's own strings.
 */
G_GNUC_WARN_UNUSED_RESULT
const char *annals_head_problem(struct MHD_Connection *connection, const char *method,
                                const char *target, const char *version);

G_END_DECLS

#endif
