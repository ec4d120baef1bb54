/*
 * Leaving execution data out of an event: inputs, outputs, parameters, variables.
 *
 * Floor 1. Which members those are stands in event_members.def.
 */
#ifndef ANNALS_PROTO_EXECUTION_DATA_H_
#define ANNALS_PROTO_EXECUTION_DATA_H_

#include "proto/buffer.h"
#include "proto/schema.h"

G_BEGIN_DECLS

/*
 * Appends a canonical event without its execution data; the result is canonical again.
 * Errors: returns false when the event is damaged or out has failed.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_execution_data_strip(const struct annals_schema *schema, const uint8_t *event,
                                 size_t size, struct annals_buffer *out);

G_END_DECLS

#endif
