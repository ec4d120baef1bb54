/*
 * A history as `aws stepfunctions get-execution-history` prints it. Part of the CLI.
 *
 * Takes an object with `events`; several of them, one behind the other (JSON Lines) or in an array;
 * or events themselves in these places. Pages and events may stand in any order and overlap. Other
 * members of a page, such as nextToken, are passed over.
 */
#ifndef ANNALS_CLIENT_AWS_HISTORY_H_
#define ANNALS_CLIENT_AWS_HISTORY_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/annals.h"
#include "client/aws_error.h"
#include "client/source.h"
#include "proto/schema.h"

G_BEGIN_DECLS

struct annals_aws_history;

/*
 * Reads text: the whole history or, if anything is wrong with it, nothing.
 *
 * Shape: events by ascending id, contiguous, each once, in canonical bytes. The first id need not
 * be 1: whether the events before are stored already is known to the server. Errors: FILE, EVENT,
 * LIMIT, CONFLICT, GAP. The message names the page (where it is not the first), the event's place
 * in it and the member: `pages[1].events[12].id: missing`. Cost: the events' canonical bytes, and
 * one event as objects at a time.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_aws_history *annals_aws_history_parse(const struct annals_schema *schema,
                                                    const char *text, size_t size, GError **error);

/* Reads all of a source. Errors: also UNREADABLE. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_aws_history *annals_aws_history_read(const struct annals_schema *schema,
                                                   struct annals_source *source, GError **error);

void annals_aws_history_free(struct annals_aws_history *history);

/* Gives the events. A view that lives as long as the history. */
const struct annals_client_event *annals_aws_history_events(
    const struct annals_aws_history *history, size_t *ret_count);

G_END_DECLS

#endif
