/* Any text as a page token, of either kind: none but our own is accepted. And any bytes as the
 * message of one that is signed as it should be, for what stands behind the signature. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/history/page_token.h"

enum { MESSAGE_BYTES_MAX = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct annals_token_key *load_key(void) {
  static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  g_autofree char *path = NULL;
  int file = g_file_open_tmp("annals-fuzz-XXXXXX", &path, NULL);
  close(file);
  if (!g_file_set_contents(path, hex, -1, NULL)) {
    abort();
  }
  struct annals_token_key *key = annals_token_key_load(path, NULL);
  remove(path);
  return key;
}

/* A token of a message, in the spelling of page_token.h. */
static char *sign(const struct annals_token_key *key, const uint8_t *message, size_t size) {
  uint8_t bytes[MESSAGE_BYTES_MAX + ANNALS_TOKEN_MAC_BYTES];
  size = MIN(size, MESSAGE_BYTES_MAX);
  memcpy(bytes, message, size);
  annals_token_key_sign(key, bytes, size, bytes + size);
  char *text = g_base64_encode(bytes, size + ANNALS_TOKEN_MAC_BYTES);
  g_strdelimit(g_strdelimit(text, "+", '-'), "/", '_');
  text[strcspn(text, "=")] = '\0';
  return text;
}

/* Any text: what is read is what was written. */
static void check_text(const struct annals_token_key *key, const char *text) {
  struct annals_page_token token;
  struct annals_listing_token listing;
  bool history = annals_page_token_read(key, "arn", text, &token);
  bool list = annals_listing_token_read(key, "arn", text, &listing);
  g_assert(!history || !list);
  if (history || list) {
    g_autofree char *again = history ? annals_page_token_write(key, "arn", &token)
                                     : annals_listing_token_write(key, "arn", &listing);
    g_assert(strcmp(again, text) == 0);
  }
}

/* A signed message: it may be spelled in ways that are not ours, but means what it says. */
static void check_signed(const struct annals_token_key *key, const char *text) {
  struct annals_page_token token;
  struct annals_listing_token listing;
  bool history = annals_page_token_read(key, "arn", text, &token);
  bool list = annals_listing_token_read(key, "arn", text, &listing);
  g_assert(!history || !list);
  if (history) {
    struct annals_page_token same;
    g_autofree char *again = annals_page_token_write(key, "arn", &token);
    g_assert(annals_page_token_read(key, "arn", again, &same));
    g_assert(same.next_event_id == token.next_event_id && same.issued_at_ms == token.issued_at_ms);
  }
  if (list) {
    struct annals_listing_token same;
    g_autofree char *again = annals_listing_token_write(key, "arn", &listing);
    g_assert(annals_listing_token_read(key, "arn", again, &same));
    g_assert(memcmp(same.rank, listing.rank, sizeof same.rank) == 0 &&
             strcmp(same.execution_arn, listing.execution_arn) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct annals_token_key *key;
  if (key == NULL) {
    key = load_key();
  }
  g_autofree char *text = g_strndup((const char *)data, size);
  check_text(key, text);
  if (size > 0) {
    g_autofree char *signed_text = sign(key, data, size);
    check_signed(key, signed_text);
  }
  return 0;
}
