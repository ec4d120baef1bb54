/*
 * Single texts out of the details of a stored event.
 *
 * Floor 2.
 */
#ifndef ANNALS_SERVER_HISTORY_EVENT_TEXT_H_
#define ANNALS_SERVER_HISTORY_EVENT_TEXT_H_

#include "proto/schema.h"

G_BEGIN_DECLS

/*
 * Gets a text of an event in canonical form, whose details are those of its type.
 *
 * json_name: AWS's name of the member, such as `input`. NULL: the event has no such text. The
 * caller frees the result with g_free().
 */
G_GNUC_WARN_UNUSED_RESULT
char *annals_event_text(const struct annals_schema *schema, const uint8_t *event, size_t size,
                        const char *json_name);

G_END_DECLS

#endif
