#include "server/key_service.h"

#include "server/key_meter.h"
#include "server/kms/aws_kms.h"
#include "server/kms/key_router.h"
#include "server/kms/local_provider.h"

enum { FAILURE_US = G_USEC_PER_SEC, TIMEOUT_S_MAX = 3600 };

struct annals_key_service {
  struct annals_metrics *metrics;
  struct annals_key_provider *local; /* a meter's, as the next; NULL: none */
  struct annals_key_provider *aws;
  struct annals_key_provider *provider; /* NULL: none */
  struct annals_data_keys *data_keys;   /* NULL: none */
};

static bool read_key_file(void *context, GError **error) {
  struct annals_key_service *service = context;
  return annals_local_provider_reload(service->local, error);
}

static bool open_local(struct annals_key_service *service, const struct annals_options *options,
                       struct annals_reload *reload, GError **error) {
  if (*options->kms_key_file == '\0') {
    return true;
  }
  const char *paths[] = {options->kms_key_file, NULL};
  annals_reload_add(reload, "customer keys", paths, read_key_file, service);
  service->local = annals_local_provider_new(options->kms_key_file, error);
  g_prefix_error(error, "--kms-key-file: ");
  return service->local != NULL;
}

static bool open_aws(struct annals_key_service *service, const struct annals_options *options,
                     GError **error) {
  if (*options->kms_region == '\0' && *options->kms_endpoint == '\0') {
    return true;
  }
  const struct annals_aws_kms_options kms = {
      .endpoint = options->kms_endpoint,
      .region = options->kms_region,
      .allow_plaintext = options->allow_plaintext,
      .timeout_us = MIN(options->kms_timeout, TIMEOUT_S_MAX) * G_USEC_PER_SEC,
  };
  service->aws = annals_aws_kms_new(&kms, error);
  return service->aws != NULL;
}

static void sample(void *context) {
  const struct annals_key_service *service = context;
  annals_metrics_set(service->metrics, ANNALS_METRIC_DATA_KEYS, NULL,
                     (int64_t)annals_data_keys_count(service->data_keys));
  if (service->aws != NULL) {
    annals_metrics_set(service->metrics, ANNALS_METRIC_KMS_BREAKER_OPEN, NULL,
                       annals_aws_kms_breaker(service->aws) != ANNALS_BREAKER_CLOSED);
  }
}

static bool make_data_keys(struct annals_key_service *service, GError **error) {
  if (service->local == NULL && service->aws == NULL) {
    return true;
  }
  service->provider =
      annals_key_router_new(annals_key_meter_new(service->local, "key_file", service->metrics),
                            annals_key_meter_new(service->aws, "aws_kms", service->metrics));
  const struct annals_data_keys_options options = {
      .provider = service->provider,
      .failure_us = FAILURE_US,
  };
  service->data_keys = annals_data_keys_new(&options, error);
  if (service->data_keys == NULL) {
    return false;
  }
  annals_metrics_add_source(service->metrics, sample, service);
  return true;
}

struct annals_key_service *annals_key_service_new(const struct annals_options *options,
                                                  struct annals_reload *reload,
                                                  struct annals_metrics *metrics, GError **error) {
  struct annals_key_service *service = g_new0(struct annals_key_service, 1);
  service->metrics = metrics;
  if (!open_local(service, options, reload, error) || !open_aws(service, options, error) ||
      !make_data_keys(service, error)) {
    annals_key_service_free(service);
    return NULL;
  }
  return service;
}

/* Meters and router have what they are made of; before there is one, the service has. */
static void free_provider(struct annals_key_provider *provider) {
  if (provider != NULL) {
    provider->ops->free(provider);
  }
}

void annals_key_service_free(struct annals_key_service *service) {
  if (service == NULL) {
    return;
  }
  if (service->data_keys != NULL) {
    annals_metrics_remove_source(service->metrics, service);
    annals_data_keys_free(service->data_keys);
  }
  if (service->provider != NULL) {
    free_provider(service->provider);
  } else {
    free_provider(service->local);
    free_provider(service->aws);
  }
  g_free(service);
}

struct annals_data_keys *annals_key_service_data_keys(const struct annals_key_service *service) {
  return service->data_keys;
}
