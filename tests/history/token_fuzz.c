/* Any text as a page token: none but our own is accepted. And any bytes as the message of one that
 * is signed as it should be, for what stands behind the signature. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct annals_token_key *key;
  if (key == NULL) {
    key = load_key();
  }
  struct annals_page_token token;
  g_autofree char *text = g_strndup((const char *)data, size);
  if (annals_page_token_read(key, "arn", text, &token)) {
    g_autofree char *again = annals_page_token_write(key, "arn", &token);
    g_assert(strcmp(again, text) == 0);
  }
  if (size > 0) {
    g_autofree char *signed_text = sign(key, data, size);
    if (annals_page_token_read(key, "arn", signed_text, &token)) {
      struct annals_page_token same;
      g_autofree char *again = annals_page_token_write(key, "arn", &token);
      g_assert(annals_page_token_read(key, "arn", again, &same));
      g_assert(same.next_event_id == token.next_event_id &&
               same.issued_at_ms == token.issued_at_ms);
    }
  }
  return 0;
}
