/*
 * What is imported: a file or standard input, compressed with gzip or not, line by line or whole.
 * Part of the CLI.
 */
#ifndef ANNALS_CLIENT_SOURCE_H_
#define ANNALS_CLIENT_SOURCE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/aws_error.h"

G_BEGIN_DECLS

struct annals_source;

/*
 * Opens a file, or standard input if path is "-".
 * Errors: UNREADABLE.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_source *annals_source_open(const char *path, GError **error);

void annals_source_close(struct annals_source *source);

/*
 * Gives the next line without its end; *ret_line is NULL when there is none. The last line may lack
 * its end. The view dies with the next call.
 * Errors: UNREADABLE; LIMIT for a line of more than 64 MiB.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_source_next_line(struct annals_source *source, const char **ret_line, size_t *ret_size,
                             GError **error);

/* Tells how many lines were given. */
size_t annals_source_line(const struct annals_source *source);

/* Gives all that no line was given of; the view lives as long as the source. Errors: as above. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_source_rest(struct annals_source *source, const char **ret_text, size_t *ret_size,
                        GError **error);

/*
 * Tells whether what comes next begins with these words, with blanks before and between them; takes
 * a byte order mark away. Looks at 64 KiB or more. Errors: as above.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_source_begins(struct annals_source *source, const char *const *words, bool *ret_begins,
                          GError **error);

G_END_DECLS

#endif
