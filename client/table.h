/*
 * Tables for people, such as that of events. Part of the CLI.
 *
 * Columns have fixed widths, so that a history of any length is written as it comes.
 */
#ifndef ANNALS_CLIENT_TABLE_H_
#define ANNALS_CLIENT_TABLE_H_

#include <stdbool.h>
#include <stdio.h>

#include "client/annals.h"
#include "proto/schema.h"

G_BEGIN_DECLS

/* Gives the columns of the terminal that out is, or 0 when it is none: lines are not cut then. */
size_t annals_table_width(FILE *out);

/* Writes a line, valid UTF-8. width cuts it, 0 does not. Control characters become blanks. */
void annals_table_write_line(const char *line, size_t width, FILE *out);

/* Writes the names of the columns; width as for events. */
void annals_table_write_header(size_t width, FILE *out);

/*
 * Writes one event: id, time, type, previous event, and what tells most about it. width cuts the
 * line, 0 does not. Control characters become blanks.
 *
 * Errors: returns false when the bytes are damaged. Those of writing stay in out's error flag.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_table_write_event(const struct annals_schema *schema, struct annals_client_event event,
                              size_t width, FILE *out);

G_END_DECLS

#endif
