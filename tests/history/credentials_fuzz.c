/* Any text as a credentials file and as a rule: credentials or an error, and rules that end. */
#include <string.h>

#include "server/history/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char arn[] = "arn:aws:states:eu-west-1:123456789012:execution:machine:aaaaaaaaab";

static void try_rule(const char *text) {
  g_autoptr(GError) error = NULL;
  struct annals_rule *rule = annals_rule_parse(text, &error);
  g_assert((rule == NULL) == (error != NULL));
  if (rule == NULL) {
    return;
  }
  (void)annals_rule_allows(rule, "states:GetExecutionHistory", arn);
  /* A pattern matches what is written like it. */
  g_assert(annals_rule_allows(rule, rule->actions[0], rule->arns[0]));
  annals_rule_free(rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autofree char *text = g_strndup((const char *)data, size);
  g_autoptr(GError) error = NULL;
  struct annals_credentials *credentials =
      annals_credentials_parse("file", text, strlen(text), &error);
  g_assert((credentials == NULL) == (error != NULL));
  if (credentials != NULL) {
    const struct annals_access_key *key = annals_credentials_find_key(credentials, "A");
    g_assert(key == NULL || (key->secret != NULL && key->principal != NULL));
    annals_credentials_unref(credentials);
  } else {
    g_assert(g_str_has_prefix(error->message, "file:"));
  }
  g_autofree char *rule = g_strndup((const char *)data, size);
  if (g_utf8_validate(rule, -1, NULL)) {
    try_rule(rule);
  }
  return 0;
}
