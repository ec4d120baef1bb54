/*
 * The headers that go with every request to the receiver, such as a token; of a file that may
 * change, or of the environment.
 *
 * Floor 1. The file has lines of NAME: VALUE, empty ones, and comments that begin with #.
 */
#ifndef ANNALS_SERVER_OTLP_HEADERS_H_
#define ANNALS_SERVER_OTLP_HEADERS_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/*
 * Reads the text of a file.
 *
 * Memory: the caller frees the result, NAME: VALUE of each header.
 * Errors: G_OPTION_ERROR, one line that names the line and quotes nothing, which may be secret.
 */
G_GNUC_WARN_UNUSED_RESULT
GStrv annals_otlp_headers_parse(const char *text, GError **error);

/* Makes the same of an array of struct annals_pair. Errors: as above, by the number of the pair. */
G_GNUC_WARN_UNUSED_RESULT
GStrv annals_otlp_headers_of(const GArray *pairs, GError **error);

G_END_DECLS

#endif
