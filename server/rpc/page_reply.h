/*
 * The answer that is a page: its events where they have been encoded, its parts where they lie.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_PAGE_REPLY_H_
#define ANNALS_SERVER_RPC_PAGE_REPLY_H_

#include "server/history/page.h"
#include "server/rpc/call.h"

G_BEGIN_DECLS

/* Answers a unary call with a page's events and parts, or with OVERLOADED where the buffer has
 * failed or calls hold too much. Memory: takes the bytes of events over, and references to the
 * parts, without copying; the caller clears the page. */
void annals_rpc_page_reply(struct annals_rpc_call *call, struct annals_page *page);

G_END_DECLS

#endif
