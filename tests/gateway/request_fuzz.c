/* Any bytes as the body of a request: an object or an error, never both, and members as asked. */
#include <string.h>

#include "server/gateway/aws_error.h"
#include "server/gateway/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, GError **error) {
  g_assert(ok == (*error == NULL));
  if (*error != NULL) {
    struct annals_buffer out;
    annals_buffer_init(&out, 1 << 20);
    annals_aws_error_append(*error, &out);
    g_assert(!out.failed && g_utf8_validate((const char *)out.data, (gssize)out.len, NULL));
    annals_buffer_clear(&out);
    g_clear_error(error);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct annals_request request = {0};
  GError *error = NULL;
  bool ok = annals_request_parse(&request, data, size, &error);
  check(ok, &error);
  if (!ok) {
    return 0;
  }
  const char *text = "";
  int64_t number = 0;
  bool value = false;
  check(annals_request_string(&request, "executionArn", &text, &error), &error);
  g_assert(g_utf8_validate(text, -1, NULL));
  check(annals_request_integer(&request, "maxResults", &number, &error), &error);
  g_assert(number >= INT32_MIN && number <= INT32_MAX);
  check(annals_request_boolean(&request, "reverseOrder", &value, &error), &error);
  annals_request_clear(&request);
  return 0;
}
