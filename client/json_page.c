#include "client/json_page.h"

#include <string.h>

#include "client/annals.h"
#include "proto/aws_json.h"

enum {
  /* Escapes take up to six times an item's bytes. */
  ITEM_JSON_BYTES_MAX = 8 * ANNALS_CLIENT_EVENT_BYTES_MAX,
};

void annals_json_page_init(struct annals_json_page *page, FILE *out) {
  page->out = out;
  page->printed = 0;
  annals_buffer_init(&page->text, ITEM_JSON_BYTES_MAX);
}

void annals_json_page_clear(struct annals_json_page *page) {
  annals_buffer_clear(&page->text);
}

void annals_json_page_begin(struct annals_json_page *page, const char *member) {
  fprintf(page->out, "{\"%s\":[", member);
}

static bool write_item(struct annals_json_page *page, const char *before,
                       const struct annals_message *message, struct annals_client_bytes item,
                       const char *behind) {
  annals_buffer_reset(&page->text);
  annals_buffer_append_text(&page->text, before);
  if (!annals_aws_json_append_message(message, item.data, item.size, &page->text)) {
    return false;
  }
  annals_buffer_append_text(&page->text, behind);
  fwrite(page->text.data, 1, page->text.len, page->out);
  page->printed++;
  return true;
}

bool annals_json_page_write(struct annals_json_page *page, const struct annals_message *message,
                            const uint8_t *bytes, size_t size) {
  const struct annals_client_bytes item = {bytes, size};
  return write_item(page, page->printed == 0 ? "\n" : ",\n", message, item, "");
}

bool annals_json_page_write_line(struct annals_json_page *page,
                                 const struct annals_message *message, const uint8_t *bytes,
                                 size_t size) {
  const struct annals_client_bytes item = {bytes, size};
  return write_item(page, "", message, item, "\n");
}

void annals_json_page_end(struct annals_json_page *page, const char *next_token) {
  fputs("\n]", page->out);
  if (next_token[0] != '\0') {
    annals_buffer_reset(&page->text);
    annals_buffer_append_text(&page->text, ",\"nextToken\":");
    annals_aws_json_append_string(&page->text, next_token, strlen(next_token));
    fwrite(page->text.data, 1, page->text.len, page->out);
  }
  fputs("}\n", page->out);
}
