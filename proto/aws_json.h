/*
 * Events as AWS JSON, straight from their canonical bytes.
 *
 * Floor 1. Source: AWS's service model of 2025-11-19, and recordings of the real service for what
 * is written when it is zero or empty.
 */
#ifndef ANNALS_PROTO_AWS_JSON_H_
#define ANNALS_PROTO_AWS_JSON_H_

#include "proto/buffer.h"
#include "proto/schema.h"

G_BEGIN_DECLS

/*
 * Appends one canonical event as a JSON object, without its execution data if include_data is
 * false. Timestamps are epoch seconds with up to three decimals; finer parts are cut.
 * Errors: returns false when the event is damaged or out has failed.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_aws_json_append_event(const struct annals_schema *schema, const uint8_t *event,
                                  size_t size, bool include_data, struct annals_buffer *out);

/*
 * The same with all execution data, so that reading it gives the same bytes: timestamps have up to
 * six decimals, which a double holds; what is finer, or after 2106, is ISO 8601 text.
 * Errors: as annals_aws_json_append_event.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_aws_json_append_exact_event(const struct annals_schema *schema, const uint8_t *event,
                                        size_t size, struct annals_buffer *out);

/*
 * Appends another message of the schema as a JSON object: canonical bytes, of which no unknown
 * field is taken.
 * Errors: as annals_aws_json_append_event.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_aws_json_append_message(const struct annals_message *message, const uint8_t *bytes,
                                    size_t size, struct annals_buffer *out);

/* Appends text as a JSON string with its quotes. text is valid UTF-8. */
void annals_aws_json_append_string(struct annals_buffer *out, const char *text, size_t size);

G_END_DECLS

#endif
