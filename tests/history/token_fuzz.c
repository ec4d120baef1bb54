/* Any text as a page token: none but our own is accepted. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/history/page_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autofree char *text = g_strndup((const char *)data, size);
  g_autofree char *path = NULL;
  struct annals_page_token token;
  static struct annals_token_key *key;
  if (key == NULL) {
    int file = g_file_open_tmp("annals-fuzz-XXXXXX", &path, NULL);
    close(file);
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    if (!g_file_set_contents(path, hex, -1, NULL)) {
      abort();
    }
    key = annals_token_key_load(path, NULL);
    remove(path);
  }
  if (annals_page_token_read(key, "arn", text, &token)) {
    g_autofree char *again = annals_page_token_write(key, "arn", &token);
    if (g_strcmp0(again, text) != 0) {
      abort();
    }
  }
  return 0;
}
