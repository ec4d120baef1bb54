/*
 * NAME=VALUE,NAME=VALUE: how OpenTelemetry's environment variables say headers and attributes.
 *
 * Floor 1. Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
 * https://www.w3.org/TR/baggage/: blanks around names and values do not count, values may have
 * octets as %XX.
 */
#ifndef ANNALS_SERVER_OTLP_PAIRS_H_
#define ANNALS_SERVER_OTLP_PAIRS_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

struct annals_pair {
  char *name;
  char *value;
};

/* Makes an empty array of struct annals_pair, which frees what is in it. */
GArray *annals_pairs_new(void);

/*
 * Reads pairs into an array. Those of a name that stands there take its place.
 *
 * Errors: G_OPTION_ERROR, one line that does not quote values, which may be secret.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_pairs_parse(const char *text, GArray *pairs, GError **error);

/* Sets the value of a name. Both are copied. */
void annals_pairs_set(GArray *pairs, const char *name, const char *value);

G_END_DECLS

#endif
