#include "server/rpc/caller.h"

#include <grpc/grpc_security.h>
#include <grpc/grpc_security_constants.h>
#include <grpc/slice.h>
#include <string.h>

#include "server/history/error.h"

static bool refuse(GError **error, const char *credential, const char *text) {
  GError *failure = annals_error_new(ANNALS_REASON_UNAUTHENTICATED, "%s", text);
  annals_error_add_metadata(failure, "credential", "%s", credential);
  g_propagate_error(error, failure);
  return false;
}

/* --- bearer tokens --- */

/* Gives the only authorization header, or NULL; ret_count: how many there are. */
static const grpc_slice *find_authorization(const grpc_metadata_array *metadata,
                                            size_t *ret_count) {
  const grpc_slice *found = NULL;
  *ret_count = 0;
  for (size_t i = 0; i < metadata->count; i++) {
    if (grpc_slice_str_cmp(metadata->metadata[i].key, "authorization") == 0) {
      found = &metadata->metadata[i].value;
      (*ret_count)++;
    }
  }
  return found;
}

static bool check_token(struct annals_rpc_caller *caller, int64_t now_s, const char *token,
                        GError **error) {
  const struct annals_bearer_token *found =
      annals_credentials_find_token(caller->credentials, token);
  if (found == NULL) {
    return refuse(error, "token", "the bearer token is not known");
  }
  if (now_s >= found->expires_s) {
    return refuse(error, "token", "the bearer token has expired");
  }
  caller->principal = found->principal;
  caller->expires_s = found->expires_s;
  return true;
}

static bool identify_by_token(struct annals_rpc_caller *caller, int64_t now_s,
                              const grpc_slice *value, GError **error) {
  static const char scheme[] = "Bearer ";
  const size_t scheme_size = sizeof scheme - 1;
  const size_t size = GRPC_SLICE_LENGTH(*value);
  const char *text = (const char *)GRPC_SLICE_START_PTR(*value);
  if (size <= scheme_size || g_ascii_strncasecmp(text, scheme, scheme_size) != 0) {
    return refuse(error, "token", "the authorization is not 'Bearer TOKEN'");
  }
  if (size - scheme_size > ANNALS_BEARER_TOKEN_BYTES_MAX) {
    return refuse(error, "token", "the bearer token is not known");
  }
  char token[ANNALS_BEARER_TOKEN_BYTES_MAX + 1];
  memcpy(token, text + scheme_size, size - scheme_size);
  token[size - scheme_size] = '\0';
  bool ok = check_token(caller, now_s, token, error);
  explicit_bzero(token, sizeof token);
  return ok;
}

/* --- client certificates --- */

/* What has been found of a certificate's names. */
struct names {
  const struct annals_credentials *credentials;
  const struct annals_principal *principal; /* of those that are known; NULL: none is */
  size_t count;
  bool differ; /* they are of several principals */
};

/* prefix: what the credentials have before names of this kind. */
static void look_names_up(struct names *names, const grpc_auth_context *context,
                          const char *property_name, const char *prefix) {
  bool fold_case = strcmp(prefix, "DNS:") == 0;
  grpc_auth_property_iterator at =
      grpc_auth_context_find_properties_by_name(context, property_name);
  const grpc_auth_property *property;
  while ((property = grpc_auth_property_iterator_next(&at)) != NULL) {
    names->count++;
    if (memchr(property->value, '\0', property->value_length) != NULL) {
      continue; /* what stands behind the NUL would not count */
    }
    g_autofree char *text = fold_case
                                ? g_ascii_strdown(property->value, (gssize)property->value_length)
                                : g_strndup(property->value, property->value_length);
    g_autofree char *name = g_strconcat(prefix, text, NULL);
    const struct annals_principal *found =
        annals_credentials_find_certificate(names->credentials, name);
    names->differ =
        names->differ || (found != NULL && names->principal != NULL && found != names->principal);
    names->principal = found != NULL ? found : names->principal;
  }
}

static bool identify_by_certificate(struct annals_rpc_caller *caller,
                                    const grpc_auth_context *context, GError **error) {
  struct names names = {.credentials = caller->credentials};
  look_names_up(&names, context, GRPC_PEER_URI_PROPERTY_NAME, "URI:");
  look_names_up(&names, context, GRPC_PEER_DNS_PROPERTY_NAME, "DNS:");
  if (names.count == 0) {
    look_names_up(&names, context, GRPC_X509_CN_PROPERTY_NAME, "CN:");
  }
  if (names.count == 0) {
    return refuse(
        error, "none",
        "the call says not who makes it: a bearer token or a client certificate is needed");
  }
  if (names.differ) {
    return refuse(error, "certificate", "the client certificate names more than one principal");
  }
  if (names.principal == NULL) {
    return refuse(error, "certificate", "the client certificate's names are not known");
  }
  caller->principal = names.principal;
  caller->expires_s = INT64_MAX;
  return true;
}

/* --- both --- */

bool annals_rpc_caller_identify(struct annals_keyring *keyring, int64_t now_s, grpc_call *call,
                                const grpc_metadata_array *metadata,
                                struct annals_rpc_caller *ret_caller, GError **error) {
  size_t count;
  const grpc_slice *authorization = find_authorization(metadata, &count);
  ret_caller->credentials = annals_keyring_get(keyring);
  if (count > 1) {
    return refuse(error, "token", "the call has more than one authorization");
  }
  if (count == 1) {
    return identify_by_token(ret_caller, now_s, authorization, error);
  }
  grpc_auth_context *context = grpc_call_auth_context(call);
  bool ok = identify_by_certificate(ret_caller, context, error);
  grpc_auth_context_release(context);
  return ok;
}

bool annals_rpc_caller_is_current(const struct annals_rpc_caller *caller,
                                  struct annals_keyring *keyring, int64_t now_s) {
  return annals_keyring_is_current(keyring, caller->credentials) && now_s < caller->expires_s;
}

void annals_rpc_caller_clear(struct annals_rpc_caller *caller) {
  annals_credentials_unref(caller->credentials);
  *caller = (struct annals_rpc_caller){0};
}
