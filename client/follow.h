/*
 * annals history --follow: events as they are appended, as lines of AWS JSON or of a table.
 */
#ifndef ANNALS_CLIENT_FOLLOW_H_
#define ANNALS_CLIENT_FOLLOW_H_

#include "client/cli.h"
#include "proto/schema.h"

G_BEGIN_DECLS

/*
 * Prints each event as soon as it is there, and returns when the history has ended. Returns whether
 * it has; if not, that was said.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_follow(struct annals_cli *cli, struct annals_client *client,
                   const struct annals_schema *schema,
                   const struct annals_client_watch_request *request, bool json);

G_END_DECLS

#endif
