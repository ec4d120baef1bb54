#include "server/trust.h"

#include "server/ops/log.h"

/* Tells when the certificate expires, and warns when it is not good now. */
static void tell_times(const struct annals_trust *trust) {
  struct annals_tls_identity *identity = annals_tls_get(trust->tls);
  annals_metrics_set(trust->metrics, ANNALS_METRIC_CERTIFICATE_EXPIRY, NULL,
                     identity->not_after_s * G_USEC_PER_SEC);
  int64_t now_s = g_get_real_time() / G_USEC_PER_SEC;
  const char *problem = now_s > identity->not_after_s    ? "the certificate has expired"
                        : now_s < identity->not_before_s ? "the certificate is not valid yet"
                                                         : NULL;
  if (problem != NULL) {
    g_autoptr(GDateTime) from = g_date_time_new_from_unix_utc(identity->not_before_s);
    g_autoptr(GDateTime) until = g_date_time_new_from_unix_utc(identity->not_after_s);
    g_autofree char *from_text = g_date_time_format_iso8601(from);
    g_autofree char *until_text = g_date_time_format_iso8601(until);
    annals_log_warning(problem, ANNALS_LOG_TEXT("valid_from", from_text),
                       ANNALS_LOG_TEXT("valid_until", until_text));
  }
  annals_tls_identity_unref(identity);
}

static bool read_tls(void *context, GError **error) {
  struct annals_trust *trust = context;
  if (!annals_tls_reload(trust->tls, error)) {
    return false;
  }
  tell_times(trust);
  return true;
}

static const char *or_null(const char *text) {
  return *text != '\0' ? text : NULL;
}

static bool open_tls(struct annals_trust *trust, const struct annals_options *options,
                     GError **error) {
  const struct annals_tls_files files = {
      .cert = or_null(options->tls_cert),
      .key = or_null(options->tls_key),
      .client_ca = or_null(options->tls_client_ca),
  };
  if (files.cert == NULL && files.key == NULL && files.client_ca == NULL) {
    return true;
  }
  if (files.cert == NULL || files.key == NULL) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--tls-%s is missing",
                files.cert == NULL ? "cert" : "key");
    return false;
  }
  const char *paths[] = {files.cert, files.key, files.client_ca, NULL};
  annals_reload_add(trust->reload, "certificates", paths, read_tls, trust);
  trust->tls = annals_tls_new(&files, error);
  if (trust->tls == NULL) {
    return false;
  }
  tell_times(trust);
  return true;
}

static bool read_credentials(void *context, GError **error) {
  struct annals_trust *trust = context;
  return annals_keyring_reload(trust->keyring, error);
}

static bool open_credentials(struct annals_trust *trust, const struct annals_options *options,
                             GError **error) {
  if (*options->credentials_file == '\0') {
    return true;
  }
  const char *paths[] = {options->credentials_file, NULL};
  annals_reload_add(trust->reload, "credentials", paths, read_credentials, trust);
  trust->keyring = annals_keyring_new(options->credentials_file, error);
  return trust->keyring != NULL;
}

struct annals_trust *annals_trust_new(const struct annals_options *options,
                                      struct annals_metrics *metrics, GError **error) {
  struct annals_trust *trust = g_new0(struct annals_trust, 1);
  trust->metrics = metrics;
  trust->reload = annals_reload_new(metrics);
  if (!open_tls(trust, options, error) || !open_credentials(trust, options, error)) {
    annals_trust_free(trust);
    return NULL;
  }
  return trust;
}

void annals_trust_free(struct annals_trust *trust) {
  if (trust == NULL) {
    return;
  }
  annals_keyring_free(trust->keyring);
  annals_tls_free(trust->tls);
  annals_reload_free(trust->reload);
  g_free(trust);
}

const char *annals_trust_grpc_problem(const struct annals_trust *trust,
                                      const struct annals_options *options) {
  if (trust->keyring != NULL) {
    return trust->tls != NULL || options->allow_plaintext
               ? NULL
               : "bearer tokens would travel in the clear; give --tls-cert and --tls-key, use a "
                 "loopback address, or say --allow-plaintext";
  }
  bool asks = trust->tls != NULL && annals_tls_asks_clients(trust->tls);
  return asks || options->allow_anonymous
             ? NULL
             : "anyone who does may read and write; ask who calls with --credentials-file or "
               "--tls-client-ca, use a loopback address, or say --allow-anonymous";
}

/* Signatures are no secret, and do not tell the key. */
const char *annals_trust_gateway_problem(const struct annals_trust *trust,
                                         const struct annals_options *options) {
  return trust->keyring != NULL || options->allow_anonymous
             ? NULL
             : "anyone who does may read and write; ask who calls with --credentials-file, use a "
               "loopback address, or say --allow-anonymous";
}
