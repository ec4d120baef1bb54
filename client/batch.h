/*
 * How many events go into one append. Part of the CLI.
 */
#ifndef ANNALS_CLIENT_BATCH_H_
#define ANNALS_CLIENT_BATCH_H_

#include <stddef.h>

#include "client/annals.h"

G_BEGIN_DECLS

/*
 * Counts the first events that fit into one append: at most ANNALS_CLIENT_APPEND_EVENTS_MAX, framed
 * at most ANNALS_CLIENT_APPEND_BYTES_MAX, and at least one if there is one.
 */
size_t annals_batch_length(const struct annals_client_event *events, size_t count);

G_END_DECLS

#endif
