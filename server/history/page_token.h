/*
 * Page tokens: where the next page goes on, safe in the hands of clients.
 *
 * Floor 2. There are two kinds, for pages of histories and of listings; one is never taken for the
 * other. A token is URL-safe base64 without padding of a PageToken message (page_token.proto) and
 * its HMAC-SHA-256. Nothing in it is secret. There is one spelling of each token: any other byte is
 * refused.
 */
#ifndef ANNALS_SERVER_HISTORY_PAGE_TOKEN_H_
#define ANNALS_SERVER_HISTORY_PAGE_TOKEN_H_

#include "server/history/arn.h"
#include "server/history/token_key.h"
#include "storage/store.h"

G_BEGIN_DECLS

/* What a token says of the history it belongs to. */
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

/* Where a page of a listing ended. */
struct annals_listing_token {
  int64_t issued_at_ms;                  /* since 1970 */
  uint8_t rank[ANNALS_STORE_RANK_BYTES]; /* of the page's last execution, and its ARN */
  char execution_arn[ANNALS_ARN_BYTES_MAX + 1];
};

/*
 * Write and read the token of a listing. arguments: text that says all of the listing's arguments;
 * the same for write and read. Else as annals_page_token_write and annals_page_token_read.
 */
G_GNUC_WARN_UNUSED_RESULT
char *annals_listing_token_write(const struct annals_token_key *key, const char *arguments,
                                 const struct annals_listing_token *token);
G_GNUC_WARN_UNUSED_RESULT
bool annals_listing_token_read(const struct annals_token_key *key, const char *arguments,
                               const char *text, struct annals_listing_token *ret_token);

G_END_DECLS

#endif
