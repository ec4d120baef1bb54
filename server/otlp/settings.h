/*
 * Where spans are exported to, and who is said to tell: of options, and of the variables that
 * OpenTelemetry has for it.
 *
 * Floor 1. Options count for more. Of the variables these are read: OTEL_EXPORTER_OTLP_ENDPOINT,
 * _HEADERS, _CERTIFICATE and _PROTOCOL, each also for traces alone (OTEL_EXPORTER_OTLP_TRACES_…),
 * OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES; OTEL_SDK_DISABLED=true and
 * OTEL_TRACES_EXPORTER=none, with which the endpoint of the environment does not count. An empty
 * one is none. What is sampled is not theirs to say (--trace-sample).
 *
 * Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
#ifndef ANNALS_SERVER_OTLP_SETTINGS_H_
#define ANNALS_SERVER_OTLP_SETTINGS_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* What the options say; "": nothing. */
struct annals_otlp_options {
  const char *endpoint;
  const char *headers_file;
  const char *ca;
};

struct annals_otlp_settings {
  char *url;          /* to post to; NULL: nothing is exported */
  char *headers_path; /* NULL: headers do not change */
  char *ca_path;      /* NULL: the system's */
  GStrv headers;      /* NAME: VALUE */
  GArray *resource;   /* of struct annals_pair */
};

/*
 * Reads the settings.
 *
 * getenv_of: gives variables, as g_getenv does.
 * Memory: the caller clears the settings.
 * Errors: G_OPTION_ERROR, one line that names the option or variable and quotes no secret.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_otlp_settings_read(const struct annals_otlp_options *options,
                               const char *(*getenv_of)(const char *name),
                               struct annals_otlp_settings *ret_settings, GError **error);
void annals_otlp_settings_clear(struct annals_otlp_settings *settings);

/*
 * Reads the headers of headers_path again, or copies those that do not change.
 *
 * Memory: the caller frees the result. Errors: as above, or G_FILE_ERROR; the file is named.
 */
G_GNUC_WARN_UNUSED_RESULT
GStrv annals_otlp_settings_headers(const struct annals_otlp_settings *settings, GError **error);

G_END_DECLS

#endif
