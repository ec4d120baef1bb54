/*
 * What libmicrohttpd answers on its own: to heads and chunks that it cannot read, and to what does
 * not fit into its memory.
 *
 * Floor 3, private to the gateway. Those answers are HTML without a request id, and to a
 * Content-Length that is no number libmicrohttpd 0.9.75 sends the head of its answer twice: who
 * counts sees two answers to one request. It has no option for either. So library_reply.c defines
 * MHD_queue_response, through which libmicrohttpd queues its own answers like everybody else, and
 * which it calls as any shared library calls an exported function: the program's definition comes
 * before its own. There, an answer that is none of ours is replaced: ours is written to the socket
 * or the TLS session, and the socket shut down. Ours carry ANNALS_REQUEST_ID_HEADER. Connections of
 * other daemons are let alone.
 */
#ifndef ANNALS_SERVER_GATEWAY_LIBRARY_REPLY_H_
#define ANNALS_SERVER_GATEWAY_LIBRARY_REPLY_H_

#include <glib.h>
#include <microhttpd.h>

#include "server/gateway/call.h"

G_BEGIN_DECLS

#define ANNALS_REQUEST_ID_HEADER "x-amzn-RequestId"
#define ANNALS_AWS_JSON_TYPE "application/x-amz-json-1.0"

/* Answers in the same way: whoever calls it returns MHD_NO to libmicrohttpd. status: 4xx or 505. */
void annals_library_reply_send(struct MHD_Connection *connection, unsigned status);

G_END_DECLS

#endif
