#include "client/tls_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "client/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

static bool invalid(GError **error, const char *path, const char *problem) {
  ERR_clear_error();
  annals_client_error_set(error, ANNALS_CLIENT_INVALID_ARGUMENT, "", "%s: %s", path, problem);
  return false;
}

static bool read_text(const char *path, char **ret_text, GError **error) {
  g_autoptr(GError) why = NULL;
  if (!g_file_get_contents(path, ret_text, NULL, &why)) { /* it names the file */
    annals_client_error_set(error, ANNALS_CLIENT_INVALID_ARGUMENT, "", "%s", why->message);
    return false;
  }
  return true;
}

/* OpenSSL would ask for it on the terminal. */
static int give_no_passphrase(char *buffer, int size, int writing, void *context) {
  (void)buffer;
  (void)size;
  (void)writing;
  (void)context;
  return -1;
}

/* Gives the first certificate of a file. */
static X509 *read_certificate(const char *path, char **ret_text, GError **error) {
  if (!read_text(path, ret_text, error)) {
    return NULL;
  }
  g_autoptr(BIO) bio = BIO_new_mem_buf(*ret_text, -1);
  X509 *certificate = PEM_read_bio_X509(bio, NULL, give_no_passphrase, NULL);
  if (certificate == NULL) {
    (void)invalid(error, path, "not a certificate in PEM form");
  }
  return certificate;
}

static EVP_PKEY *read_key(const char *path, char **ret_text, GError **error) {
  if (!read_text(path, ret_text, error)) {
    return NULL;
  }
  g_autoptr(BIO) bio = BIO_new_mem_buf(*ret_text, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_no_passphrase, NULL);
  if (key == NULL) {
    (void)invalid(error, path, "not a private key in PEM form without passphrase");
  }
  return key;
}

static bool read_pair(const struct annals_client_options *options,
                      struct annals_client_tls_files *files, GError **error) {
  g_autoptr(X509) certificate = read_certificate(options->cert_file, &files->cert, error);
  if (certificate == NULL) {
    return false;
  }
  g_autoptr(EVP_PKEY) key = read_key(options->key_file, &files->key, error);
  return key != NULL && (X509_check_private_key(certificate, key) == 1 ||
                         invalid(error, options->key_file, "not the certificate's key"));
}

bool annals_client_tls_files_read(const struct annals_client_options *options,
                                  struct annals_client_tls_files *ret_files, GError **error) {
  if (options->ca_file != NULL) {
    g_autoptr(X509) ca = read_certificate(options->ca_file, &ret_files->ca, error);
    if (ca == NULL) {
      return false;
    }
  }
  return options->cert_file == NULL || read_pair(options, ret_files, error);
}

void annals_client_tls_files_clear(struct annals_client_tls_files *files) {
  if (files->key != NULL) {
    OPENSSL_cleanse(files->key, strlen(files->key));
  }
  g_free(files->key);
  g_free(files->cert);
  g_free(files->ca);
  *files = (struct annals_client_tls_files){0};
}
