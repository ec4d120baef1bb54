/*
 * Page tokens: where a listing goes on, safe in the hands of clients.
 *
 * Floor 2. A token is URL-safe base64 without padding of a PageToken message (page_token.proto) and
 * its HMAC-SHA-256. Nothing in it is secret. There is one spelling of each token: any other byte is
 * refused.
 */
#ifndef ANNALS_SERVER_HISTORY_PAGE_TOKEN_H_
#define ANNALS_SERVER_HISTORY_PAGE_TOKEN_H_

#include "server/history/token_key.h"

G_BEGIN_DECLS

/* What a token says of the listing it belongs to. */
struct annals_page_token {
  int64_t issued_at_ms; /* since 1970 */
  int64_t start_seconds;
  int32_t start_nanos;
  bool reverse_order;
  bool include_execution_data;
  int64_t next_event_id;
};

/* Writes a token. Memory: the caller frees the result with g_free(). */
G_GNUC_WARN_UNUSED_RESULT
char *annals_page_token_write(const struct annals_token_key *key, const char *execution_arn,
                              const struct annals_page_token *token);

/*
 * Reads a token of this server's making for this execution. Whether it is still good, and for this
 * direction and flag, is for the caller to see.
 * Errors: returns false for anything else.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_page_token_read(const struct annals_token_key *key, const char *execution_arn,
                            const char *text, struct annals_page_token *ret_token);

G_END_DECLS

#endif
