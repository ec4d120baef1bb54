#include "server/gateway/caller.h"

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
  (void)kind;
  const struct annals_sigv4_header header = {.name = name, .value = value != NULL ? value : ""};
  g_array_append_val((GArray *)context, header);
  return MHD_YES;
}

bool annals_caller_identify(const struct annals_caller_policy *policy,
                            struct MHD_Connection *connection, struct annals_sigv4_request *request,
                            struct annals_caller *ret_caller, GError **error) {
  if (policy->keyring == NULL) {
    return true;
  }
  g_autoptr(GArray) headers = g_array_new(FALSE, FALSE, sizeof(struct annals_sigv4_header));
  MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, headers);
  request->headers = (const struct annals_sigv4_header *)headers->data;
  request->header_count = headers->len;
  ret_caller->credentials = annals_keyring_get(policy->keyring);
  const struct annals_sigv4_verifier verifier = {
      .service = "states",
      .region = policy->region,
      .credentials = ret_caller->credentials,
      .now_s = annals_history_now_us(policy->history) / G_USEC_PER_SEC,
  };
  bool ok = annals_sigv4_verify(&verifier, request, &ret_caller->principal, error);
  request->headers = NULL;
  request->header_count = 0;
  return ok;
}

void annals_caller_clear(struct annals_caller *caller) {
  annals_credentials_unref(caller->credentials);
  *caller = (struct annals_caller){0};
}
