#include "server/gateway/tls_handshake.h"

#include <string.h>

enum { CERTS_MAX = 16 }; /* of one chain */

static gnutls_datum_t datum_of(char *pem) {
  return (gnutls_datum_t){.data = (unsigned char *)pem, .size = (unsigned)strlen(pem)};
}

/* Both results are GnuTLS's to free. Returns GnuTLS's error, or 0. */
static int read_key(char *pem, gnutls_privkey_t *ret_key) {
  gnutls_privkey_t key;
  int rc = gnutls_privkey_init(&key);
  if (rc < 0) {
    return rc;
  }
  gnutls_datum_t datum = datum_of(pem);
  rc = gnutls_privkey_import_x509_raw(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (rc < 0) {
    gnutls_privkey_deinit(key);
    return rc;
  }
  *ret_key = key;
  return 0;
}

static int read_certs(char *pem, gnutls_pcert_st **ret_certs, unsigned *ret_count) {
  gnutls_datum_t datum = datum_of(pem);
  unsigned count = CERTS_MAX;
  gnutls_pcert_st *certs = gnutls_calloc(count, sizeof *certs);
  if (certs == NULL) {
    return GNUTLS_E_MEMORY_ERROR;
  }
  int rc = gnutls_pcert_list_import_x509_raw(certs, &count, &datum, GNUTLS_X509_FMT_PEM, 0);
  if (rc < 0) {
    gnutls_free(certs);
    return rc;
  }
  *ret_certs = certs;
  *ret_count = count;
  return 0;
}

static void free_certs(gnutls_pcert_st *certs, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    gnutls_pcert_deinit(&certs[i]);
  }
  gnutls_free(certs);
}

static int read_identity(struct annals_tls *tls, gnutls_pcert_st **ret_certs, unsigned *ret_count,
                         gnutls_privkey_t *ret_key) {
  struct annals_tls_identity *identity = annals_tls_get(tls);
  int rc = read_certs(identity->cert_pem, ret_certs, ret_count);
  if (rc == 0) {
    rc = read_key(identity->key_pem, ret_key);
    if (rc != 0) {
      free_certs(*ret_certs, *ret_count);
    }
  }
  annals_tls_identity_unref(identity);
  return rc;
}

bool annals_tls_handshake_check(struct annals_tls *tls, GError **error) {
  gnutls_pcert_st *certs;
  unsigned count;
  gnutls_privkey_t key;
  int rc = read_identity(tls, &certs, &count, &key);
  if (rc != 0) {
    g_set_error(error, ANNALS_TLS_ERROR, 0,
                "the gateway cannot use the certificate and its key: %s", gnutls_strerror(rc));
    return false;
  }
  free_certs(certs, count);
  gnutls_privkey_deinit(key);
  return true;
}

void annals_tls_handshake_begin(struct MHD_Connection *connection, struct annals_tls *tls) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  g_assert(info != NULL);
  gnutls_session_set_ptr(info->tls_session, tls);
}

int annals_tls_handshake_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                                  gnutls_pcert_st **ret_certs, unsigned *ret_cert_count,
                                  gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                                  gnutls_privkey_t *ret_key, unsigned *ret_flags) {
  (void)info;
  *ret_ocsp = NULL;
  *ret_ocsp_count = 0;
  *ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
  return read_identity(gnutls_session_get_ptr(session), ret_certs, ret_cert_count, ret_key) == 0
             ? 0
             : -1;
}
