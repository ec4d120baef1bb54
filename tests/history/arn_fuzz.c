/* Any text as an ARN: good, or refused with INVALID_ARN and a reason that can be sent. */
#include <stdint.h>
#include <string.h>

#include "server/history/arn.h"
#include "server/history/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check(bool ok, GError *error) {
  g_assert(ok == (error == NULL));
  if (error != NULL) {
    g_assert(annals_error_reason(error) == ANNALS_REASON_INVALID_ARN);
    g_assert(*error->message != '\0');
    g_error_free(error);
  }
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autofree char *text = g_strndup((const char *)data, size);
  GError *error = NULL;
  bool ok = annals_execution_arn_check(text, &error);
  if (check(ok, error)) {
    g_assert(g_str_has_prefix(text, "arn:aws") && strstr(text, ":execution:") != NULL);
    g_assert(strlen(text) <= ANNALS_ARN_BYTES_MAX && g_utf8_validate(text, -1, NULL));
    /* The state machine's is as good as the execution's. */
    g_autofree char *machine = annals_execution_arn_state_machine(text);
    error = NULL;
    ok = annals_state_machine_arn_check(machine, &error);
    g_assert(check(ok, error));
  }
  error = NULL;
  ok = annals_state_machine_arn_check(text, &error);
  check(ok, error);
  return 0;
}
