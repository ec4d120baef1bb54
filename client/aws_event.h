/*
 * One event of AWS JSON, turned into canonical bytes. Part of the CLI.
 *
 * Walks the schema's table: a new event type or member needs no change here.
 */
#ifndef ANNALS_CLIENT_AWS_EVENT_H_
#define ANNALS_CLIENT_AWS_EVENT_H_

#include <jansson.h>

#include "client/aws_error.h"
#include "proto/buffer.h"
#include "proto/schema.h"

G_BEGIN_DECLS

/*
 * Appends an event to out. Members that are null are absent.
 *
 * Shape: what is appended is in canonical form, so equal events are equal bytes.
 * Errors: EVENT for unknown members, types of events and kinds of values, missing members, and
 *   details that do not belong to the type; LIMIT for lengths over the model's. The message begins
 *   with the member's path, such as `stateEnteredEventDetails.input: `. out may then hold a part of
 *   the event.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_aws_event_append(const struct annals_schema *schema, json_t *event,
                             struct annals_buffer *out, int64_t *ret_id, GError **error);

G_END_DECLS

#endif
