/*
 * Where an export goes: a stream, compressed or not, or a file that is there when it is whole. Part
 * of the CLI.
 */
#ifndef ANNALS_CLIENT_SINK_H_
#define ANNALS_CLIENT_SINK_H_

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

G_BEGIN_DECLS

struct annals_sink;

/*
 * Opens a sink onto a stream, which stays the caller's, or onto a file where path is not NULL: it
 * is written under another name beside that.
 * Errors: G_FILE_ERROR.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_sink *annals_sink_open(FILE *stream, const char *path, bool gzip, GError **error);

/* Writes. Errors: returns false with errno; all later writes do, too. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_sink_write(struct annals_sink *sink, const void *bytes, size_t size);

/*
 * Writes what is left, and puts a file in place: durable, and under its name. Returns false with
 * errno; an earlier failure is one of these.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_sink_finish(struct annals_sink *sink);

/* Frees the sink. A file that was not finished is removed. NULL is fine. */
void annals_sink_free(struct annals_sink *sink);

G_END_DECLS

#endif
