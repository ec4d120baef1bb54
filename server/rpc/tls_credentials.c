#include "server/rpc/tls_credentials.h"

static grpc_ssl_certificate_config_reload_status fetch(
    void *context, grpc_ssl_server_certificate_config **ret_config) {
  struct annals_rpc_tls *state = context;
  struct annals_tls_identity *identity = annals_tls_get(state->tls);
  grpc_ssl_certificate_config_reload_status status = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  if (identity->serial != state->serial) {
    grpc_ssl_pem_key_cert_pair pair = {identity->key_pem, identity->cert_pem};
    /* gRPC 1.51 asserts that there are CAs, also where it asks for no certificate: any will do. */
    const char *roots =
        identity->client_ca_pem != NULL ? identity->client_ca_pem : identity->cert_pem;
    *ret_config = grpc_ssl_server_certificate_config_create(roots, &pair, 1);
    state->serial = identity->serial;
    status = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }
  annals_tls_identity_unref(identity);
  return status;
}

grpc_server_credentials *annals_rpc_tls_credentials_new(struct annals_rpc_tls *state,
                                                        struct annals_tls *tls) {
  state->tls = tls;
  grpc_ssl_client_certificate_request_type request =
      annals_tls_asks_clients(tls) ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                   : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
  return grpc_ssl_server_credentials_create_with_options(
      grpc_ssl_server_credentials_create_options_using_config_fetcher(request, fetch, state));
}
