/*
 * One HTTP request, from its first line to the last byte of its answer.
 *
 * Floor 3, private to the gateway. What libmicrohttpd calls; all of it on the thread of the
 * connection, but for the end of an operation.
 *
 *          head              body              body ends                 operation ends
 *   HEAD ────────► BODY ──────────────► BODY ─────────────► RUNNING ─────────────────────► ANSWERED
 *     │ ambiguous, or far too big          │ not for us, or not readable                     ▲
 *     └────────────────────────────────────┴─────────────────────────────────────────────────┘
 *
 * While an operation is pending, the connection is suspended. The thread that suspends it and the
 * one that ends the operation meet in `handoff`: whichever comes second resumes.
 */
#ifndef ANNALS_SERVER_GATEWAY_CALL_H_
#define ANNALS_SERVER_GATEWAY_CALL_H_

#include <glib.h>
#include <microhttpd.h>
#include <stddef.h>

#include "server/gateway/caller.h"
#include "server/gateway/in_flight.h"
#include "server/gateway/meter.h"
#include "server/history/history.h"
#include "server/ops/call_log.h"

G_BEGIN_DECLS

/* What calls share. */
struct annals_call_context {
  struct annals_history *history;
  struct annals_caller_policy callers;
  size_t body_bytes_max;
  struct annals_in_flight in_flight;
  struct annals_gateway_meters meters;
  struct annals_call_log *call_log;
  struct annals_call_log own_call_log; /* where none is given */
};

struct annals_call;

/* A connection of the gateway: libmicrohttpd's socket_context. */
struct annals_connection {
  struct annals_call_context *context;
  struct annals_call *call; /* NULL: none is under way */
};

/* For MHD_OPTION_NOTIFY_CONNECTION: makes and frees the connection. */
void annals_call_connection(struct annals_call_context *context, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);

/* MHD_OPTION_URI_LOG_CALLBACK: makes the call. */
void *annals_call_begin(void *context, const char *uri, struct MHD_Connection *connection);

/* MHD_AccessHandlerCallback. */
enum MHD_Result annals_call_handle(void *context, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_size, void **call);

/* MHD_OPTION_NOTIFY_COMPLETED: frees the call. */
void annals_call_end(void *context, struct MHD_Connection *connection, void **call,
                     enum MHD_RequestTerminationCode code);

G_END_DECLS

#endif
