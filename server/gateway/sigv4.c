#include "server/gateway/sigv4.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <string.h>

#include "server/gateway/aws_error.h"
#include "server/gateway/sigv4_canonical.h"
#include "server/gateway/sigv4_claim.h"

enum { HEX_BYTES = 2 * SHA256_DIGEST_LENGTH };

#define UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

G_GNUC_PRINTF(3, 4)
static bool refuse(GError **error, enum annals_gateway_error code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_propagate_error(error, g_error_new_valist(ANNALS_GATEWAY_ERROR, (int)code, format, args));
  va_end(args);
  return false;
}

/* --- hashes --- */

static void hex(const uint8_t hash[SHA256_DIGEST_LENGTH], char ret_text[HEX_BYTES + 1]) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
    ret_text[2 * i] = digits[hash[i] >> 4];
    ret_text[2 * i + 1] = digits[hash[i] & 0xf];
  }
  ret_text[HEX_BYTES] = '\0';
}

static void hash_hex(const void *bytes, size_t size, char ret_text[HEX_BYTES + 1]) {
  uint8_t hash[SHA256_DIGEST_LENGTH];
  int ok = EVP_Digest(bytes, size, hash, NULL, EVP_sha256(), NULL);
  g_assert(ok == 1);
  hex(hash, ret_text);
}

/* key may be where the result goes. */
static void mac(EVP_MAC_CTX *context, const void *key, size_t key_size, const char *text,
                uint8_t ret_mac[SHA256_DIGEST_LENGTH]) {
  size_t size = 0;
  int ok = EVP_MAC_init(context, key, key_size, NULL) == 1 &&
           EVP_MAC_update(context, (const uint8_t *)text, strlen(text)) == 1 &&
           EVP_MAC_final(context, ret_mac, &size, SHA256_DIGEST_LENGTH) == 1;
  g_assert(ok && size == SHA256_DIGEST_LENGTH);
}

/* One for a whole chain of keys: HMAC() would look its algorithms up again for each. */
static EVP_MAC_CTX *mac_context_new(void) {
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
  EVP_MAC_free(hmac);
  g_assert(context != NULL && EVP_MAC_CTX_set_params(context, params) == 1);
  return context;
}

/* --- the signature --- */

/* What is signed: the canonical request's hash, with when and for what. Memory: g_free() it. */
static char *string_to_sign(const struct annals_sigv4_claim *claim, const char *canonical) {
  char hash[HEX_BYTES + 1];
  hash_hex(canonical, strlen(canonical), hash);
  char *const *scope = claim->credential;
  return g_strdup_printf(ANNALS_SIGV4_ALGORITHM "\n%s\n%s/%s/%s/%s\n%s", claim->timestamp,
                         scope[ANNALS_SIGV4_DATE], scope[ANNALS_SIGV4_REGION],
                         scope[ANNALS_SIGV4_SERVICE], scope[ANNALS_SIGV4_END], hash);
}

static void sign(const struct annals_access_key *key, const struct annals_sigv4_claim *claim,
                 const char *text, char ret_signature[HEX_BYTES + 1]) {
  uint8_t chain[SHA256_DIGEST_LENGTH];
  EVP_MAC_CTX *context = mac_context_new();
  char *secret = g_strconcat("AWS4", key->secret, NULL);
  mac(context, secret, strlen(secret), claim->credential[ANNALS_SIGV4_DATE], chain);
  OPENSSL_cleanse(secret, strlen(secret));
  g_free(secret);
  for (size_t i = ANNALS_SIGV4_REGION; i <= ANNALS_SIGV4_END; i++) {
    mac(context, chain, sizeof chain, claim->credential[i], chain);
  }
  mac(context, chain, sizeof chain, text, chain);
  EVP_MAC_CTX_free(context);
  hex(chain, ret_signature);
  OPENSSL_cleanse(chain, sizeof chain);
}

/* Gives what stands for the body in the canonical request. */
static bool payload_hash(const struct annals_sigv4_claim *claim,
                         const struct annals_sigv4_request *request, char ret_text[HEX_BYTES + 1],
                         GError **error) {
  if (g_strcmp0(claim->payload_hash, UNSIGNED_PAYLOAD) == 0) {
    g_strlcpy(ret_text, UNSIGNED_PAYLOAD, HEX_BYTES + 1);
    return true;
  }
  hash_hex(request->body, request->body_size, ret_text);
  return claim->payload_hash == NULL || strcmp(claim->payload_hash, ret_text) == 0 ||
         refuse(error, ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE,
                "The provided 'x-amz-content-sha256' header does not match what was computed.");
}

static bool check_signature(const struct annals_sigv4_claim *claim,
                            const struct annals_access_key *key,
                            const struct annals_sigv4_request *request, GError **error) {
  char payload[HEX_BYTES + 1];
  if (!payload_hash(claim, request, payload, error)) {
    return false;
  }
  g_autofree char *canonical =
      annals_sigv4_canonical_request(request, claim->signed_headers, payload, error);
  if (canonical == NULL) {
    return false;
  }
  g_autofree char *text = string_to_sign(claim, canonical);
  char signature[HEX_BYTES + 1];
  sign(key, claim, text, signature);
  return (strlen(claim->signature) == HEX_BYTES &&
          CRYPTO_memcmp(claim->signature, signature, HEX_BYTES) == 0) ||
         refuse(error, ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE,
                "The request signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key and signing method. Consult the service "
                "documentation for details.");
}

/* --- what the signature is for --- */

static bool has_header(const struct annals_sigv4_request *request, const char *name) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (g_ascii_strcasecmp(request->headers[i].name, name) == 0) {
      return true;
    }
  }
  return false;
}

/* Without Host a signature would do for another server, without the target for other operations. */
static bool check_signed_headers(const struct annals_sigv4_claim *claim,
                                 const struct annals_sigv4_request *request, GError **error) {
  const char *const *names = (const char *const *)claim->signed_headers;
  if (!g_strv_contains(names, "host")) {
    return refuse(error, ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE,
                  "'Host' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (has_header(request, "X-Amz-Target") && !g_strv_contains(names, "x-amz-target")) {
    return refuse(error, ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE,
                  "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.");
  }
  return true;
}

static bool check_scope(const struct annals_sigv4_claim *claim,
                        const struct annals_sigv4_verifier *verifier, GError **error) {
  char *const *scope = claim->credential;
  const enum annals_gateway_error code = ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE;
  if (strlen(scope[ANNALS_SIGV4_DATE]) != strlen("20150830") ||
      !g_str_has_prefix(claim->timestamp, scope[ANNALS_SIGV4_DATE])) {
    return refuse(error, code,
                  "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                  "from HTTP: '%s' != '%.8s', from '%s'.",
                  scope[ANNALS_SIGV4_DATE], claim->timestamp, claim->timestamp);
  }
  if (verifier->region != NULL && strcmp(scope[ANNALS_SIGV4_REGION], verifier->region) != 0) {
    return refuse(error, code, "Credential should be scoped to a valid region: '%s', not '%s'.",
                  verifier->region, scope[ANNALS_SIGV4_REGION]);
  }
  if (strcmp(scope[ANNALS_SIGV4_SERVICE], verifier->service) != 0) {
    return refuse(error, code, "Credential should be scoped to correct service: '%s'.",
                  verifier->service);
  }
  return strcmp(scope[ANNALS_SIGV4_END], ANNALS_SIGV4_TERMINATOR) == 0 ||
         refuse(error, code,
                "Credential should be scoped with a valid terminator: '" ANNALS_SIGV4_TERMINATOR
                "', not '%s'.",
                scope[ANNALS_SIGV4_END]);
}

/* As in a request: 20150830T123600Z. Memory: g_free() it. */
static char *timestamp(int64_t at_s) {
  g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(at_s);
  return g_date_time_format(at, "%Y%m%dT%H%M%SZ");
}

/* limit_s: as late as the signature may be, from now_s on, or as early. */
static bool refuse_time(const struct annals_sigv4_claim *claim, int64_t now_s, int64_t limit_s,
                        GError **error) {
  g_autofree char *now = timestamp(now_s);
  g_autofree char *limit = timestamp(limit_s);
  bool expired = limit_s < now_s;
  int64_t difference_s = ABS(limit_s - now_s);
  bool minutes = difference_s % 60 == 0;
  return refuse(error, ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE,
                "Signature %s: %s is %s than %s (%s %c %" G_GINT64_FORMAT " %s.)",
                expired ? "expired" : "not yet current", claim->timestamp,
                expired ? "now earlier" : "still later", limit, now, expired ? '-' : '+',
                minutes ? difference_s / 60 : difference_s, minutes ? "min" : "sec");
}

/* In the header they are good for as long as clocks may differ, presigned for as long as they say.
 */
static bool check_times(const struct annals_sigv4_claim *claim, int64_t now_s, GError **error) {
  int64_t earliest_s = now_s - (claim->presigned ? claim->expires_s : ANNALS_SIGV4_SKEW_S);
  int64_t latest_s = now_s + ANNALS_SIGV4_SKEW_S;
  if (claim->signed_at_s < earliest_s) {
    return refuse_time(claim, now_s, earliest_s, error);
  }
  return claim->signed_at_s <= latest_s || refuse_time(claim, now_s, latest_s, error);
}

/* --- who --- */

static bool is_token(const char *given, const char *expected) {
  if (given == NULL || expected == NULL) {
    return given == expected;
  }
  size_t size = strlen(expected);
  return strlen(given) == size && CRYPTO_memcmp(given, expected, size) == 0;
}

static bool check_claim(const struct annals_sigv4_verifier *verifier,
                        const struct annals_sigv4_claim *claim,
                        const struct annals_sigv4_request *request,
                        const struct annals_principal **ret_principal, GError **error) {
  const struct annals_access_key *key = annals_credentials_find_key(
      verifier->credentials, claim->credential[ANNALS_SIGV4_ACCESS_KEY_ID]);
  if (key == NULL || !is_token(claim->session_token, key->session_token)) {
    return refuse(error, ANNALS_GATEWAY_ERROR_UNRECOGNIZED_CLIENT,
                  "The security token included in the request is invalid.");
  }
  if (!check_scope(claim, verifier, error) || !check_signed_headers(claim, request, error) ||
      !check_times(claim, verifier->now_s, error) || !check_signature(claim, key, request, error)) {
    return false;
  }
  if (verifier->now_s >= key->expires_s) {
    return refuse(error, ANNALS_GATEWAY_ERROR_EXPIRED_TOKEN,
                  "The security token included in the request is expired");
  }
  *ret_principal = key->principal;
  return true;
}

bool annals_sigv4_verify(const struct annals_sigv4_verifier *verifier,
                         const struct annals_sigv4_request *request,
                         const struct annals_principal **ret_principal, GError **error) {
  struct annals_sigv4_claim claim;
  if (!annals_sigv4_claim_read(request, &claim, error)) {
    return false;
  }
  bool ok = check_claim(verifier, &claim, request, ret_principal, error);
  annals_sigv4_claim_clear(&claim);
  return ok;
}
