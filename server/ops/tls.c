#include "server/ops/tls.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>

struct annals_tls {
  char *cert_path;
  char *key_path;
  char *client_ca_path; /* NULL: none */
  pthread_mutex_t lock;
  struct annals_tls_identity *identity; /* under lock */
};

G_DEFINE_QUARK(annals_tls_error, annals_tls_error)

/* Before there are threads: the first use is not safe on two of them. */
__attribute__((constructor)) static void register_domain(void) {
  (void)annals_tls_error_quark();
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SSL_CTX, SSL_CTX_free)

/* Fails with what OpenSSL has to say. */
static bool refuse(GError **error, const char *path, const char *problem) {
  unsigned long code = ERR_peek_last_error();
  const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
  g_set_error(error, ANNALS_TLS_ERROR, 0, "%s: %s%s%s", path, problem, reason != NULL ? ": " : "",
              reason != NULL ? reason : "");
  ERR_clear_error();
  return false;
}

/* --- files --- */

static char *read_text(const char *path, GError **error) {
  g_autoptr(GError) why = NULL;
  char *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, &why)) {
    g_set_error_literal(error, ANNALS_TLS_ERROR, 0, why->message); /* it names the file */
    return NULL;
  }
  return text;
}

/* OpenSSL would ask for it on the terminal. */
static int give_no_passphrase(char *buffer, int size, int writing, void *context) {
  (void)buffer;
  (void)size;
  (void)writing;
  (void)context;
  return -1;
}

/* Reads all certificates of a text, at least one; ret_first may be NULL. */
static bool read_certificates(const char *path, const char *text, X509 **ret_first,
                              GError **error) {
  g_autoptr(BIO) bio = BIO_new_mem_buf(text, -1);
  X509 *found;
  g_autoptr(X509) first = NULL;
  while ((found = PEM_read_bio_X509(bio, NULL, give_no_passphrase, NULL)) != NULL) {
    if (first == NULL) {
      first = found;
    } else {
      X509_free(found);
    }
  }
  bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (first == NULL || !at_end) {
    return refuse(error, path, "not certificates in PEM form");
  }
  ERR_clear_error();
  if (ret_first != NULL) {
    *ret_first = g_steal_pointer(&first);
  }
  return true;
}

static EVP_PKEY *read_key(const char *path, const char *text, GError **error) {
  g_autoptr(BIO) bio = BIO_new_mem_buf(text, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_no_passphrase, NULL);
  if (key == NULL) {
    (void)refuse(error, path, "not a private key in PEM form without passphrase");
  }
  return key;
}

static int64_t seconds_of(const ASN1_TIME *time) {
  struct tm broken_down;
  if (ASN1_TIME_to_tm(time, &broken_down) != 1) {
    return 0;
  }
  return (int64_t)timegm(&broken_down);
}

/* Asks OpenSSL, as gRPC does at a handshake, so that what it refuses is refused here. */
static bool check_pair(const struct annals_tls *tls, X509 *cert, EVP_PKEY *key, GError **error) {
  g_autoptr(SSL_CTX) context = SSL_CTX_new(TLS_server_method());
  g_assert(context != NULL);
  if (SSL_CTX_use_certificate(context, cert) != 1) {
    return refuse(error, tls->cert_path, "the certificate cannot be used");
  }
  if (X509_check_private_key(cert, key) != 1) {
    ERR_clear_error();
    g_set_error(error, ANNALS_TLS_ERROR, 0, "%s: not the key of the certificate in %s",
                tls->key_path, tls->cert_path);
    return false;
  }
  return SSL_CTX_use_PrivateKey(context, key) == 1 ||
         refuse(error, tls->key_path, "the key cannot be used");
}

static bool take_pair(const struct annals_tls *tls, struct annals_tls_identity *identity,
                      GError **error) {
  g_autoptr(X509) cert = NULL;
  identity->cert_pem = read_text(tls->cert_path, error);
  if (identity->cert_pem == NULL ||
      !read_certificates(tls->cert_path, identity->cert_pem, &cert, error)) {
    return false;
  }
  identity->not_before_s = seconds_of(X509_get0_notBefore(cert));
  identity->not_after_s = seconds_of(X509_get0_notAfter(cert));
  identity->key_pem = read_text(tls->key_path, error);
  if (identity->key_pem == NULL) {
    return false;
  }
  g_autoptr(EVP_PKEY) key = read_key(tls->key_path, identity->key_pem, error);
  return key != NULL && check_pair(tls, cert, key, error);
}

static bool take_client_ca(const struct annals_tls *tls, struct annals_tls_identity *identity,
                           GError **error) {
  if (tls->client_ca_path == NULL) {
    return true;
  }
  identity->client_ca_pem = read_text(tls->client_ca_path, error);
  return identity->client_ca_pem != NULL &&
         read_certificates(tls->client_ca_path, identity->client_ca_pem, NULL, error);
}

static struct annals_tls_identity *load(const struct annals_tls *tls, GError **error) {
  struct annals_tls_identity *identity = g_new0(struct annals_tls_identity, 1);
  identity->references = 1;
  identity->serial = tls->identity == NULL ? 1 : tls->identity->serial + 1;
  if (!take_pair(tls, identity, error) || !take_client_ca(tls, identity, error)) {
    annals_tls_identity_unref(identity);
    return NULL;
  }
  return identity;
}

/* --- what counts now --- */

struct annals_tls *annals_tls_new(const struct annals_tls_files *files, GError **error) {
  struct annals_tls *tls = g_new0(struct annals_tls, 1);
  tls->cert_path = g_strdup(files->cert);
  tls->key_path = g_strdup(files->key);
  tls->client_ca_path = g_strdup(files->client_ca);
  pthread_mutex_init(&tls->lock, NULL);
  if (!annals_tls_reload(tls, error)) {
    annals_tls_free(tls);
    return NULL;
  }
  return tls;
}

void annals_tls_free(struct annals_tls *tls) {
  if (tls == NULL) {
    return;
  }
  annals_tls_identity_unref(tls->identity);
  pthread_mutex_destroy(&tls->lock);
  g_free(tls->cert_path);
  g_free(tls->key_path);
  g_free(tls->client_ca_path);
  g_free(tls);
}

bool annals_tls_reload(struct annals_tls *tls, GError **error) {
  struct annals_tls_identity *fresh = load(tls, error);
  if (fresh == NULL) {
    return false;
  }
  pthread_mutex_lock(&tls->lock);
  struct annals_tls_identity *old = tls->identity;
  tls->identity = fresh;
  pthread_mutex_unlock(&tls->lock);
  annals_tls_identity_unref(old);
  return true;
}

bool annals_tls_asks_clients(const struct annals_tls *tls) {
  return tls->client_ca_path != NULL;
}

struct annals_tls_identity *annals_tls_get(struct annals_tls *tls) {
  pthread_mutex_lock(&tls->lock);
  struct annals_tls_identity *identity = tls->identity;
  g_atomic_int_inc(&identity->references);
  pthread_mutex_unlock(&tls->lock);
  return identity;
}

void annals_tls_identity_unref(struct annals_tls_identity *identity) {
  if (identity == NULL || !g_atomic_int_dec_and_test(&identity->references)) {
    return;
  }
  if (identity->key_pem != NULL) {
    OPENSSL_cleanse(identity->key_pem, strlen(identity->key_pem));
  }
  g_free(identity->key_pem);
  g_free(identity->cert_pem);
  g_free(identity->client_ca_pem);
  g_free(identity);
}
