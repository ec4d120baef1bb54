/*
 * Messages as AWS JSON, in the form of a page: {"MEMBER":[…],"nextToken":"…"}, an item a line. Part
 * of the CLI.
 */
#ifndef ANNALS_CLIENT_JSON_PAGE_H_
#define ANNALS_CLIENT_JSON_PAGE_H_

#include <stdio.h>

#include "proto/buffer.h"
#include "proto/schema.h"

G_BEGIN_DECLS

struct annals_json_page {
  FILE *out;
  size_t printed; /* items */
  struct annals_buffer text;
};

void annals_json_page_init(struct annals_json_page *page, FILE *out);
void annals_json_page_clear(struct annals_json_page *page);

/* Writes what stands before the items. */
void annals_json_page_begin(struct annals_json_page *page, const char *member);

/* Writes one item. Errors: returns false when its bytes are not what the message can hold. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_json_page_write(struct annals_json_page *page, const struct annals_message *message,
                            const uint8_t *bytes, size_t size);

/* Writes one item as a line of its own: JSON Lines, without a page. Errors: as above. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_json_page_write_line(struct annals_json_page *page,
                                 const struct annals_message *message, const uint8_t *bytes,
                                 size_t size);

/* Writes what stands behind the items. next_token: "" for none. */
void annals_json_page_end(struct annals_json_page *page, const char *next_token);

G_END_DECLS

#endif
