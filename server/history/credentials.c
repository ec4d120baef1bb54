#include "server/history/credentials.h"

#include <openssl/crypto.h>
#include <string.h>

#include "server/history/credentials_internal.h"

G_DEFINE_QUARK(annals_credentials_error, annals_credentials_error)

/* Before there are threads: the first use is not safe on two of them. */
__attribute__((constructor)) static void register_domain(void) {
  (void)annals_credentials_error_quark();
}

/* --- life --- */

static void free_secret(char *secret) {
  if (secret != NULL) {
    OPENSSL_cleanse(secret, strlen(secret));
    g_free(secret);
  }
}

static void free_key(gpointer data) {
  struct annals_access_key *key = data;
  g_free(key->id);
  free_secret(key->secret);
  free_secret(key->session_token);
  g_free(key);
}

static void free_token(gpointer data) {
  struct annals_bearer_token *token = data;
  g_free(token->hash);
  g_free(token);
}

static void free_rule(gpointer data) {
  annals_rule_free(data);
}

static void free_principal(gpointer data) {
  struct annals_principal *principal = data;
  g_free(principal->name);
  g_ptr_array_unref(principal->rules);
  g_free(principal);
}

struct annals_principal *annals_principal_new(const char *name) {
  struct annals_principal *principal = g_new(struct annals_principal, 1);
  principal->name = g_strdup(name);
  principal->rules = g_ptr_array_new_with_free_func(free_rule);
  return principal;
}

struct annals_credentials *annals_credentials_new(void) {
  struct annals_credentials *credentials = g_new0(struct annals_credentials, 1);
  credentials->references = 1;
  credentials->principals = g_ptr_array_new_with_free_func(free_principal);
  credentials->names = g_hash_table_new(g_str_hash, g_str_equal);
  credentials->keys = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_key);
  credentials->tokens = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_token);
  credentials->certificates = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  return credentials;
}

struct annals_credentials *annals_credentials_ref(struct annals_credentials *credentials) {
  g_atomic_int_inc(&credentials->references);
  return credentials;
}

void annals_credentials_unref(struct annals_credentials *credentials) {
  if (credentials != NULL && g_atomic_int_dec_and_test(&credentials->references)) {
    g_hash_table_unref(credentials->certificates);
    g_hash_table_unref(credentials->tokens);
    g_hash_table_unref(credentials->keys);
    g_hash_table_unref(credentials->names);
    g_ptr_array_unref(credentials->principals);
    g_free(credentials);
  }
}

const struct annals_access_key *annals_credentials_find_key(
    const struct annals_credentials *credentials, const char *access_key_id) {
  return g_hash_table_lookup(credentials->keys, access_key_id);
}

char *annals_bearer_token_hash(const char *token) {
  return g_compute_checksum_for_string(G_CHECKSUM_SHA256, token, -1);
}

const struct annals_bearer_token *annals_credentials_find_token(
    const struct annals_credentials *credentials, const char *token) {
  g_autofree char *hash = annals_bearer_token_hash(token);
  return g_hash_table_lookup(credentials->tokens, hash);
}

const struct annals_principal *annals_credentials_find_certificate(
    const struct annals_credentials *credentials, const char *name) {
  return g_hash_table_lookup(credentials->certificates, name);
}

size_t annals_credentials_principal_count(const struct annals_credentials *credentials) {
  return credentials->principals->len;
}
