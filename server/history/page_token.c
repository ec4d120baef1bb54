#include "server/history/page_token.h"

#include <openssl/sha.h>
#include <string.h>

#include "annals/internal/v1/page_token.pb-c.h"

enum { VERSION = 1, MESSAGE_BYTES_MAX = 512 };

/* As g_strdelimit(), which takes a call for each character: that was an eighth of a page. */
static void replace(char *text, char from, char to) {
  for (; *text != '\0'; text++) {
    if (*text == from) {
      *text = to;
    }
  }
}

/* Base64 with - and _ in place of + and /, and no padding. */
static char *encode(const uint8_t *bytes, size_t size) {
  char *text = g_base64_encode(bytes, size);
  replace(text, '+', '-');
  replace(text, '/', '_');
  char *padding = strchr(text, '=');
  if (padding != NULL) {
    *padding = '\0';
  }
  return text;
}

/* NULL unless text is what encode() writes: GLib skips what is not base64. */
static uint8_t *decode(const char *text, size_t *ret_size) {
  static const char *const padding[] = {"", "===", "==", "="};
  g_autofree char *padded = g_strconcat(text, padding[strlen(text) % 4], NULL);
  replace(padded, '-', '+');
  replace(padded, '_', '/');
  g_autofree uint8_t *bytes = g_base64_decode(padded, ret_size);
  g_autofree char *again = encode(bytes, *ret_size);
  return strcmp(again, text) == 0 ? g_steal_pointer(&bytes) : NULL;
}

/* Writes what all tokens have and what message holds already. */
static char *seal(const struct annals_token_key *key, const char *subject, int64_t issued_at_ms,
                  Annals__Internal__V1__PageToken *message) {
  uint8_t hash[SHA256_DIGEST_LENGTH];
  SHA256((const uint8_t *)subject, strlen(subject), hash);
  message->version = VERSION;
  message->issued_at_ms = issued_at_ms;
  message->subject_sha256.data = hash;
  message->subject_sha256.len = sizeof hash;

  uint8_t bytes[MESSAGE_BYTES_MAX + ANNALS_TOKEN_MAC_BYTES];
  g_assert(annals__internal__v1__page_token__get_packed_size(message) <= MESSAGE_BYTES_MAX);
  size_t size = annals__internal__v1__page_token__pack(message, bytes);
  annals_token_key_sign(key, bytes, size, bytes + size);
  return encode(bytes, size + ANNALS_TOKEN_MAC_BYTES);
}

static bool is_of(const Annals__Internal__V1__PageToken *message, const char *subject) {
  uint8_t hash[SHA256_DIGEST_LENGTH];
  SHA256((const uint8_t *)subject, strlen(subject), hash);
  return message->version == VERSION && message->subject_sha256.len == sizeof hash &&
         memcmp(message->subject_sha256.data, hash, sizeof hash) == 0;
}

/* Reads a token of either kind. NULL: it is not one of this server's making for this subject. */
static Annals__Internal__V1__PageToken *unseal(const struct annals_token_key *key,
                                               const char *subject, const char *text) {
  size_t size = 0;
  g_autofree uint8_t *bytes = decode(text, &size);
  if (bytes == NULL || size <= ANNALS_TOKEN_MAC_BYTES) {
    return NULL;
  }
  size -= ANNALS_TOKEN_MAC_BYTES;
  if (!annals_token_key_verify(key, bytes, size, bytes + size)) {
    return NULL;
  }
  Annals__Internal__V1__PageToken *message =
      annals__internal__v1__page_token__unpack(NULL, size, bytes);
  if (message != NULL && !is_of(message, subject)) {
    annals__internal__v1__page_token__free_unpacked(message, NULL);
    return NULL;
  }
  return message;
}

/* --- histories --- */

char *annals_page_token_write(const struct annals_token_key *key, const char *execution_arn,
                              const struct annals_page_token *token) {
  Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  start.seconds = token->start_seconds;
  start.nanos = token->start_nanos;
  Annals__Internal__V1__PageToken message = ANNALS__INTERNAL__V1__PAGE_TOKEN__INIT;
  message.start_time = &start;
  message.reverse_order = token->reverse_order;
  message.include_execution_data = token->include_execution_data;
  message.next_event_id = token->next_event_id;
  return seal(key, execution_arn, token->issued_at_ms, &message);
}

bool annals_page_token_read(const struct annals_token_key *key, const char *execution_arn,
                            const char *text, struct annals_page_token *ret_token) {
  Annals__Internal__V1__PageToken *message = unseal(key, execution_arn, text);
  bool ok = message != NULL && message->start_time != NULL && message->listing_place == NULL;
  if (ok) {
    *ret_token = (struct annals_page_token){
        .issued_at_ms = message->issued_at_ms,
        .start_seconds = message->start_time->seconds,
        .start_nanos = message->start_time->nanos,
        .reverse_order = message->reverse_order,
        .include_execution_data = message->include_execution_data,
        .next_event_id = message->next_event_id,
    };
  }
  annals__internal__v1__page_token__free_unpacked(message, NULL);
  return ok;
}

/* --- listings --- */

char *annals_listing_token_write(const struct annals_token_key *key, const char *arguments,
                                 const struct annals_listing_token *token) {
  Annals__Internal__V1__ListingPlace place = ANNALS__INTERNAL__V1__LISTING_PLACE__INIT;
  place.rank.data = (uint8_t *)token->rank;
  place.rank.len = sizeof token->rank;
  place.execution_arn = (char *)token->execution_arn;
  Annals__Internal__V1__PageToken message = ANNALS__INTERNAL__V1__PAGE_TOKEN__INIT;
  message.listing_place = &place;
  return seal(key, arguments, token->issued_at_ms, &message);
}

bool annals_listing_token_read(const struct annals_token_key *key, const char *arguments,
                               const char *text, struct annals_listing_token *ret_token) {
  Annals__Internal__V1__PageToken *message = unseal(key, arguments, text);
  const Annals__Internal__V1__ListingPlace *place = message != NULL ? message->listing_place : NULL;
  bool ok = place != NULL && place->rank.len == sizeof ret_token->rank &&
            strlen(place->execution_arn) <= ANNALS_ARN_BYTES_MAX;
  if (ok) {
    ret_token->issued_at_ms = message->issued_at_ms;
    memcpy(ret_token->rank, place->rank.data, sizeof ret_token->rank);
    g_strlcpy(ret_token->execution_arn, place->execution_arn, sizeof ret_token->execution_arn);
  }
  annals__internal__v1__page_token__free_unpacked(message, NULL);
  return ok;
}
