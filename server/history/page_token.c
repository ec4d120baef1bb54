#include "server/history/page_token.h"

#include <openssl/sha.h>
#include <string.h>

#include "annals/internal/v1/page_token.pb-c.h"

enum { VERSION = 1, MESSAGE_BYTES_MAX = 160 };

static void hash_arn(const char *arn, uint8_t ret_hash[SHA256_DIGEST_LENGTH]) {
  SHA256((const uint8_t *)arn, strlen(arn), ret_hash);
}

/* Base64 with - and _ in place of + and /, and no padding. */
static char *encode(const uint8_t *bytes, size_t size) {
  char *text = g_base64_encode(bytes, size);
  g_strdelimit(g_strdelimit(text, "+", '-'), "/", '_');
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
  g_strdelimit(g_strdelimit(padded, "-", '+'), "_", '/');
  g_autofree uint8_t *bytes = g_base64_decode(padded, ret_size);
  g_autofree char *again = encode(bytes, *ret_size);
  return strcmp(again, text) == 0 ? g_steal_pointer(&bytes) : NULL;
}

char *annals_page_token_write(const struct annals_token_key *key, const char *execution_arn,
                              const struct annals_page_token *token) {
  uint8_t hash[SHA256_DIGEST_LENGTH];
  hash_arn(execution_arn, hash);
  Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  start.seconds = token->start_seconds;
  start.nanos = token->start_nanos;
  Annals__Internal__V1__PageToken message = ANNALS__INTERNAL__V1__PAGE_TOKEN__INIT;
  message.version = VERSION;
  message.issued_at_ms = token->issued_at_ms;
  message.execution_arn_sha256.data = hash;
  message.execution_arn_sha256.len = sizeof hash;
  message.start_time = &start;
  message.reverse_order = token->reverse_order;
  message.include_execution_data = token->include_execution_data;
  message.next_event_id = token->next_event_id;

  uint8_t bytes[MESSAGE_BYTES_MAX + ANNALS_TOKEN_MAC_BYTES];
  g_assert(annals__internal__v1__page_token__get_packed_size(&message) <= MESSAGE_BYTES_MAX);
  size_t size = annals__internal__v1__page_token__pack(&message, bytes);
  annals_token_key_sign(key, bytes, size, bytes + size);
  return encode(bytes, size + ANNALS_TOKEN_MAC_BYTES);
}

static bool take(const Annals__Internal__V1__PageToken *message, const char *execution_arn,
                 struct annals_page_token *ret_token) {
  uint8_t hash[SHA256_DIGEST_LENGTH];
  hash_arn(execution_arn, hash);
  if (message->version != VERSION || message->start_time == NULL ||
      message->execution_arn_sha256.len != sizeof hash ||
      memcmp(message->execution_arn_sha256.data, hash, sizeof hash) != 0) {
    return false;
  }
  *ret_token = (struct annals_page_token){
      .issued_at_ms = message->issued_at_ms,
      .start_seconds = message->start_time->seconds,
      .start_nanos = message->start_time->nanos,
      .reverse_order = message->reverse_order,
      .include_execution_data = message->include_execution_data,
      .next_event_id = message->next_event_id,
  };
  return true;
}

bool annals_page_token_read(const struct annals_token_key *key, const char *execution_arn,
                            const char *text, struct annals_page_token *ret_token) {
  size_t size = 0;
  g_autofree uint8_t *bytes = decode(text, &size);
  if (bytes == NULL || size <= ANNALS_TOKEN_MAC_BYTES) {
    return false;
  }
  size -= ANNALS_TOKEN_MAC_BYTES;
  if (!annals_token_key_verify(key, bytes, size, bytes + size)) {
    return false;
  }
  Annals__Internal__V1__PageToken *message =
      annals__internal__v1__page_token__unpack(NULL, size, bytes);
  if (message == NULL) {
    return false;
  }
  bool ok = take(message, execution_arn, ret_token);
  annals__internal__v1__page_token__free_unpacked(message, NULL);
  return ok;
}
