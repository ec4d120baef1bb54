#include "server/tracing.h"

static bool read_headers(void *context, GError **error) {
  return annals_otlp_exporter_reload(context, error);
}

bool annals_tracing_start(const struct annals_options *options, struct annals_trust *trust,
                          const struct annals_tracing_addresses *addresses,
                          struct annals_otlp_exporter **ret_exporter, GError **error) {
  const struct annals_otlp_options otlp = {
      .endpoint = options->otlp_endpoint,
      .headers_file = options->otlp_headers_file,
      .ca = options->otlp_ca,
  };
  struct annals_otlp_settings settings;
  *ret_exporter = NULL;
  if (!annals_otlp_settings_read(&otlp, g_getenv, &settings, error)) {
    return false;
  }
  if (settings.url == NULL) {
    annals_otlp_settings_clear(&settings);
    return true;
  }
  const char *paths[] = {options->otlp_headers_file, NULL};
  *ret_exporter = annals_otlp_exporter_new(
      &(struct annals_otlp_exporter_options){
          .settings = &settings,
          .grpc_address = addresses->grpc,
          .gateway_address = addresses->gateway,
          .gateway_tls = trust->tls != NULL,
          .metrics = trust->metrics,
      },
      error);
  if (*ret_exporter != NULL && *paths[0] != '\0') {
    annals_reload_add(trust->reload, "OTLP headers", paths, read_headers, *ret_exporter);
  }
  return *ret_exporter != NULL;
}
