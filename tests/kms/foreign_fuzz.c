/*
 * Any bytes as what KMS, STS, a container's endpoint and the credentials file say, and as wrapped
 * data keys. What is taken for a data key is whole, and blank in the text from then on.
 *
 * The first byte chooses the reader; of KMS' errors the second is the HTTP status.
 */
#include <stdbool.h>
#include <string.h>

#include "server/kms/aws_credentials.h"
#include "server/kms/endpoint.h"
#include "server/kms/kms_reply.h"
#include "server/kms/local_provider.h"

enum { STATUSES = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clear(struct annals_key_call *call) {
  g_bytes_unref(call->wrapped);
  g_free(call->message);
  g_free(call->key_arn);
}

static void check_reply(char *text, size_t size, bool wants_plain, bool wants_wrapped) {
  static const char BLANKS[] = "\"                                            \"";
  static const uint8_t NOTHING[ANNALS_DATA_KEY_BYTES];
  uint8_t plain[ANNALS_DATA_KEY_BYTES] = {0};
  struct annals_key_call call = {.plain = plain};
  const struct annals_kms_expected expected = {.plain = wants_plain, .wrapped = wants_wrapped};
  annals_kms_reply_read(text, size, &expected, &call);
  if (call.status == ANNALS_KEY_OK) {
    g_assert(call.key_arn != NULL && call.message == NULL);
    g_assert((call.wrapped != NULL) == wants_wrapped);
    g_assert(!wants_wrapped || (g_bytes_get_size(call.wrapped) > 0 &&
                                g_bytes_get_size(call.wrapped) <= ANNALS_WRAPPED_KEY_BYTES_MAX));
    g_assert(!wants_plain || strstr(text, BLANKS) != NULL);
  } else {
    g_assert(call.status == ANNALS_KEY_UNAVAILABLE && call.message != NULL);
    g_assert(memcmp(plain, NOTHING, sizeof plain) == 0);
  }
  clear(&call);
}

static void check_error(uint8_t choice, const char *text, size_t size) {
  static const long STATUS[STATUSES] = {0, 301, 400, 403, 429, 500};
  struct annals_key_call call = {0};
  struct annals_kms_advice advice;
  annals_kms_reply_read_error(STATUS[choice % STATUSES], text, size, &call, &advice);
  g_assert(call.status != ANNALS_KEY_OK && call.message != NULL);
  g_assert(STATUS[choice % STATUSES] == 0 || g_utf8_validate(call.message, -1, NULL));
  g_assert(call.key_state == NULL || call.status == ANNALS_KEY_INVALID_STATE);
  clear(&call);
}

static void check_credentials(struct annals_aws_credentials *credentials) {
  if (credentials != NULL) {
    g_assert(*credentials->id != '\0' && *credentials->secret != '\0');
    g_assert(strpbrk(credentials->id, "\r\n ") == NULL);
    g_assert(credentials->token == NULL || strpbrk(credentials->token, "\r\n ") == NULL);
    annals_aws_credentials_free(credentials);
  }
}

static void check_endpoint(const char *text) {
  struct annals_endpoint endpoint;
  if (annals_endpoint_parse(text, &endpoint)) {
    g_assert(*endpoint.host != '\0');
    g_free(endpoint.host);
  }
}

static void choose(uint8_t choice, char *text, size_t size) {
  switch (choice) {
    case 'g':
      check_reply(text, size, true, true);
      break;
    case 'd':
      check_reply(text, size, true, false);
      break;
    case 'r':
      check_reply(text, size, false, true);
      break;
    case 'e':
      check_error(size > 0 ? (uint8_t)text[0] : 0, size > 0 ? text + 1 : text,
                  size > 0 ? size - 1 : 0);
      break;
    case 'j':
      check_credentials(annals_aws_credentials_of_json(text, size));
      break;
    case 'x':
      check_credentials(annals_aws_credentials_of_xml(text, size));
      break;
    case 'f':
      check_credentials(annals_aws_credentials_of_file(text, "default", NULL));
      break;
    case 'u':
      check_endpoint(text);
      break;
    default:
      break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 0) {
    char *text = g_malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    choose(data[0], text, size - 1);
    g_free(text);
    g_autoptr(GBytes) bytes = g_bytes_new_static(data + 1, size - 1);
    bool is_local = annals_local_provider_wrapped(bytes);
    g_assert(!is_local || size - 1 >= 73);
  }
  return 0;
}
