/*
 * Keeps libmicrohttpd from reading the arguments of a request line, which nobody asks it for.
 *
 * Floor 1. libmicrohttpd 0.9.75 goes on with a request whose arguments find no room in its memory,
 * although it has refused it by then and may have let go of that memory: any client could crash the
 * process.
 */
#ifndef ANNALS_SERVER_OPS_HTTP_ARGUMENTS_H_
#define ANNALS_SERVER_OPS_HTTP_ARGUMENTS_H_

#include <glib.h>

G_BEGIN_DECLS

/*
 * Cuts a target off behind its question mark. To be called with what MHD_OPTION_URI_LOG_CALLBACK
 * gives: libmicrohttpd's own buffer, which it is about to take apart.
 */
void annals_http_arguments_drop(const char *target);

G_END_DECLS

#endif
