#include "server/otlp/settings.h"

#include <curl/curl.h>
#include <string.h>
#include <unistd.h>

#include "server/ops/process_metrics.h"
#include "server/otlp/headers.h"
#include "server/otlp/pairs.h"

enum { HOST_NAME_BYTES = 256, HEADERS_FILE_BYTES_MAX = 64 * 1024 };

static const char traces_path[] = "/v1/traces";

typedef const char *(*getenv_function)(const char *name);

static bool refuse(const char *name, const char *problem, GError **error) {
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: %s", name, problem);
  return false;
}

/* --- variables --- */

/* An empty variable is none. */
static const char *variable(getenv_function getenv_of, const char *name) {
  const char *value = getenv_of(name);
  return value == NULL || *value == '\0' ? NULL : value;
}

/* What is said of traces counts for more than what is said of all signals. */
static const char *exporter_variable(getenv_function getenv_of, const char *rest, char **ret_name) {
  char *name = g_strconcat("OTEL_EXPORTER_OTLP_TRACES_", rest, NULL);
  const char *value = variable(getenv_of, name);
  if (value == NULL) {
    g_free(name);
    name = g_strconcat("OTEL_EXPORTER_OTLP_", rest, NULL);
    value = variable(getenv_of, name);
  }
  *ret_name = name;
  return value;
}

static bool is_off(getenv_function getenv_of) {
  const char *disabled = variable(getenv_of, "OTEL_SDK_DISABLED");
  const char *exporter = variable(getenv_of, "OTEL_TRACES_EXPORTER");
  return (disabled != NULL && g_ascii_strcasecmp(disabled, "true") == 0) ||
         (exporter != NULL && strcmp(exporter, "none") == 0);
}

/* --- where to --- */

static char *part(CURLU *url, CURLUPart which) {
  char *value = NULL;
  if (curl_url_get(url, which, &value, 0) != CURLUE_OK) {
    return NULL;
  }
  char *copy = g_strdup(value);
  curl_free(value);
  return copy;
}

/* Says what is wrong with a URL; NULL: nothing. User names would come out in logs. */
static const char *problem_of(CURLU *url) {
  g_autofree char *scheme = part(url, CURLUPART_SCHEME);
  g_autofree char *user = part(url, CURLUPART_USER);
  g_autofree char *fragment = part(url, CURLUPART_FRAGMENT);
  g_autofree char *query = part(url, CURLUPART_QUERY);
  if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
    return "it is not a URL of http or https";
  }
  return user != NULL       ? "it has a user name: give a header Authorization instead"
         : fragment != NULL ? "it has a fragment"
         : query != NULL    ? "it has a query"
                            : NULL;
}

static bool set_url(const char *name, const char *text, bool is_base, char **ret_url,
                    GError **error) {
  CURLU *url = curl_url();
  bool ok = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
  const char *problem = ok ? problem_of(url) : "it is not a URL of http or https";
  if (problem == NULL && is_base) {
    g_autofree char *path = part(url, CURLUPART_PATH);
    size_t size = strlen(path);
    while (size > 0 && path[size - 1] == '/') {
      path[--size] = '\0';
    }
    g_autofree char *whole = g_strconcat(path, traces_path, NULL);
    ok = curl_url_set(url, CURLUPART_PATH, whole, 0) == CURLUE_OK;
    problem = ok ? NULL : "it has a path that cannot be";
  }
  if (problem == NULL) {
    *ret_url = part(url, CURLUPART_URL);
  }
  curl_url_cleanup(url);
  return problem == NULL || refuse(name, problem, error);
}

/* Whoever gives an endpoint for gRPC alone would wait for spans in vain. */
static bool check_protocol(getenv_function getenv_of, GError **error) {
  g_autofree char *name = NULL;
  const char *protocol = exporter_variable(getenv_of, "PROTOCOL", &name);
  return protocol == NULL || strcmp(protocol, "http/protobuf") == 0 ||
         refuse(name, "http/protobuf is all that is spoken", error);
}

static bool read_url(const struct annals_otlp_options *options, getenv_function getenv_of,
                     char **ret_url, GError **error) {
  if (*options->endpoint != '\0') {
    return set_url("--otlp-endpoint", options->endpoint, true, ret_url, error);
  }
  if (is_off(getenv_of)) {
    return true;
  }
  static const char own[] = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"; /* taken as it is */
  static const char base[] = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const char *text = variable(getenv_of, own);
  const char *base_text = variable(getenv_of, base);
  if (text == NULL && base_text == NULL) {
    return true;
  }
  return check_protocol(getenv_of, error) &&
         (text != NULL ? set_url(own, text, false, ret_url, error)
                       : set_url(base, base_text, true, ret_url, error));
}

/* --- what goes along --- */

static bool read_headers(const struct annals_otlp_options *options, getenv_function getenv_of,
                         struct annals_otlp_settings *settings, GError **error) {
  if (*options->headers_file != '\0') {
    settings->headers_path = g_strdup(options->headers_file);
    settings->headers = annals_otlp_settings_headers(settings, error);
    return settings->headers != NULL;
  }
  g_autofree char *name = NULL;
  const char *text = exporter_variable(getenv_of, "HEADERS", &name);
  g_autoptr(GArray) pairs = annals_pairs_new();
  if (text == NULL || annals_pairs_parse(text, pairs, error)) {
    settings->headers = annals_otlp_headers_of(pairs, error);
  }
  if (settings->headers == NULL) {
    g_prefix_error(error, "%s: ", name);
  }
  return settings->headers != NULL;
}

static bool read_resource(getenv_function getenv_of, GArray *resource, GError **error) {
  char host[HOST_NAME_BYTES] = "";
  g_autofree char *instance = g_uuid_string_random();
  annals_pairs_set(resource, "service.name", "annals");
  annals_pairs_set(resource, "service.version", ANNALS_VERSION);
  annals_pairs_set(resource, "service.instance.id", instance);
  if (gethostname(host, sizeof host - 1) == 0 && g_utf8_validate(host, -1, NULL)) {
    annals_pairs_set(resource, "host.name", host);
  }
  const char *attributes = variable(getenv_of, "OTEL_RESOURCE_ATTRIBUTES");
  if (attributes != NULL && !annals_pairs_parse(attributes, resource, error)) {
    g_prefix_error(error, "OTEL_RESOURCE_ATTRIBUTES: ");
    return false;
  }
  const char *service = variable(getenv_of, "OTEL_SERVICE_NAME");
  if (service != NULL && !g_utf8_validate(service, -1, NULL)) {
    return refuse("OTEL_SERVICE_NAME", "it is not UTF-8", error);
  }
  if (service != NULL) {
    annals_pairs_set(resource, "service.name", service);
  }
  return true;
}

static void read_ca(const struct annals_otlp_options *options, getenv_function getenv_of,
                    struct annals_otlp_settings *settings) {
  g_autofree char *name = NULL;
  const char *variable_path = exporter_variable(getenv_of, "CERTIFICATE", &name);
  settings->ca_path = g_strdup(*options->ca != '\0' ? options->ca : variable_path);
}

bool annals_otlp_settings_read(const struct annals_otlp_options *options, getenv_function getenv_of,
                               struct annals_otlp_settings *ret_settings, GError **error) {
  struct annals_otlp_settings settings = {.resource = annals_pairs_new()};
  if (!read_url(options, getenv_of, &settings.url, error)) {
    annals_otlp_settings_clear(&settings);
    return false;
  }
  if (settings.url != NULL) {
    read_ca(options, getenv_of, &settings);
    if (!read_headers(options, getenv_of, &settings, error) ||
        !read_resource(getenv_of, settings.resource, error)) {
      annals_otlp_settings_clear(&settings);
      return false;
    }
  }
  *ret_settings = settings;
  return true;
}

void annals_otlp_settings_clear(struct annals_otlp_settings *settings) {
  g_free(settings->url);
  g_free(settings->headers_path);
  g_free(settings->ca_path);
  g_strfreev(settings->headers);
  g_clear_pointer(&settings->resource, g_array_unref);
  *settings = (struct annals_otlp_settings){0};
}

GStrv annals_otlp_settings_headers(const struct annals_otlp_settings *settings, GError **error) {
  if (settings->headers_path == NULL) {
    return g_strdupv(settings->headers);
  }
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents(settings->headers_path, &text, &size, error)) {
    return NULL;
  }
  GStrv headers = NULL;
  if (size > HEADERS_FILE_BYTES_MAX || memchr(text, '\0', size) != NULL) {
    g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                        "it is no list of headers");
  } else {
    headers = annals_otlp_headers_parse(text, error);
  }
  if (headers == NULL) {
    g_prefix_error(error, "%s: ", settings->headers_path);
  }
  return headers;
}
