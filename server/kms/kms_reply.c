#include "server/kms/kms_reply.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum {
  PLAIN_TEXT_BYTES = 44, /* 32 bytes in base64 */
  PLAIN_PADDED_BYTES = 33,
  MESSAGE_BYTES_MAX = 512,
  HTTP_OK = 200,
  HTTP_TOO_MANY = 429,
  HTTP_SERVER_ERROR = 500,
};

/* --- the data key --- */

static const char *skip_blanks(const char *text) {
  return text + strspn(text, " \t\r\n");
}

/* Finds the text of the first member of that name whose value is a string. The name in another
 * place than a member's is found out by the parser later: what is overwritten is not there then. */
static char *find_plain(char *text) {
  static const char NAME[] = "\"Plaintext\"";
  char *at = strstr(text, NAME);
  if (at == NULL) {
    return NULL;
  }
  const char *colon = skip_blanks(at + strlen(NAME));
  const char *quote = *colon == ':' ? skip_blanks(colon + 1) : colon;
  return *colon == ':' && *quote == '"' ? text + (quote + 1 - text) : NULL;
}

static bool is_base64(const char *text, size_t size) {
  return strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "+/=") == size && text[size] == '"';
}

/* Takes the data key out of the text, in which blanks are left of it. */
static bool take_plain(char *text, uint8_t *ret_plain) {
  uint8_t padded[PLAIN_PADDED_BYTES];
  char *plain = find_plain(text);
  bool ok = plain != NULL && is_base64(plain, PLAIN_TEXT_BYTES) &&
            plain[PLAIN_TEXT_BYTES - 1] == '=' && plain[PLAIN_TEXT_BYTES - 2] != '=' &&
            EVP_DecodeBlock(padded, (const uint8_t *)plain, PLAIN_TEXT_BYTES) == PLAIN_PADDED_BYTES;
  if (ok) {
    memcpy(ret_plain, padded, ANNALS_DATA_KEY_BYTES);
    memset(plain, ' ', PLAIN_TEXT_BYTES);
  }
  OPENSSL_cleanse(padded, sizeof padded);
  return ok;
}

/* --- members --- */

static const char *get_text(const json_t *root, const char *name) {
  return json_string_value(json_object_get(root, name));
}

static bool is_blanked(const json_t *root) {
  const char *plain = get_text(root, "Plaintext");
  return plain != NULL && strspn(plain, " ") == PLAIN_TEXT_BYTES &&
         strlen(plain) == PLAIN_TEXT_BYTES;
}

/* NULL: it is none. */
static GBytes *read_wrapped(const json_t *root) {
  const char *text = get_text(root, "CiphertextBlob");
  size_t size = text != NULL ? strlen(text) : 0;
  if (size == 0 || size % 4 != 0 || size / 4 * 3 > ANNALS_WRAPPED_KEY_BYTES_MAX + 2) {
    return NULL;
  }
  uint8_t *bytes = g_malloc(size / 4 * 3);
  int decoded = EVP_DecodeBlock(bytes, (const uint8_t *)text, (int)size);
  if (decoded >= 0) {
    decoded -= (text[size - 1] == '=') + (text[size - 2] == '=');
  }
  if (decoded <= 0 || decoded > ANNALS_WRAPPED_KEY_BYTES_MAX) {
    g_free(bytes);
    return NULL;
  }
  return g_bytes_new_take(bytes, (size_t)decoded);
}

static void fail(struct annals_key_call *call, enum annals_key_status status, char *message) {
  call->status = status;
  call->message = message;
}

static bool read_members(const json_t *root, const struct annals_kms_expected *expected,
                         struct annals_key_call *call) {
  const char *arn = get_text(root, "KeyId");
  if (arn == NULL || *arn == '\0' || (expected->plain && !is_blanked(root))) {
    return false;
  }
  if (expected->wrapped) {
    call->wrapped = read_wrapped(root);
    if (call->wrapped == NULL) {
      return false;
    }
  }
  call->key_arn = g_strdup(arn);
  return true;
}

void annals_kms_reply_read(char *text, size_t size, const struct annals_kms_expected *expected,
                           struct annals_key_call *call) {
  uint8_t plain[ANNALS_DATA_KEY_BYTES];
  bool ok = !expected->plain || take_plain(text, plain);
  json_t *root = ok ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
  if (root != NULL && read_members(root, expected, call)) {
    call->status = ANNALS_KEY_OK;
    if (expected->plain) {
      memcpy(call->plain, plain, sizeof plain);
    }
  } else {
    fail(call, ANNALS_KEY_UNAVAILABLE, g_strdup("KMS gave an answer that makes no sense"));
  }
  json_decref(root);
  OPENSSL_cleanse(plain, sizeof plain);
}

/* --- errors --- */

struct meaning {
  const char *error;
  enum annals_key_status status;
  const char *key_state; /* NULL: none, or as the message says */
  bool retry;
  bool renew;
};

static const struct meaning MEANINGS[] = {
    {"AccessDeniedException", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"AccessDenied", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"NotAuthorized", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"OptInRequired", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"UnrecognizedClientException", ANNALS_KEY_ACCESS_DENIED, NULL, false, true},
    {"InvalidClientTokenId", ANNALS_KEY_ACCESS_DENIED, NULL, false, true},
    {"ExpiredTokenException", ANNALS_KEY_ACCESS_DENIED, NULL, false, true},
    {"ExpiredToken", ANNALS_KEY_ACCESS_DENIED, NULL, false, true},
    {"InvalidSignatureException", ANNALS_KEY_ACCESS_DENIED, NULL, false, true},
    {"SignatureDoesNotMatch", ANNALS_KEY_ACCESS_DENIED, NULL, false, true},
    {"IncompleteSignature", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"MissingAuthenticationToken", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"MissingAuthenticationTokenException", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"RequestExpired", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"DisabledException", ANNALS_KEY_INVALID_STATE, "DISABLED", false, false},
    {"KMSInvalidStateException", ANNALS_KEY_INVALID_STATE, NULL, false, false},
    {"NotFoundException", ANNALS_KEY_INVALID_STATE, "UNAVAILABLE", false, false},
    {"InvalidArnException", ANNALS_KEY_INVALID_STATE, "UNAVAILABLE", false, false},
    {"ValidationException", ANNALS_KEY_INVALID_STATE, "UNAVAILABLE", false, false},
    {"KeyUnavailableException", ANNALS_KEY_INVALID_STATE, "UNAVAILABLE", true, false},
    {"InvalidKeyUsageException", ANNALS_KEY_INVALID_STATE, NULL, false, false},
    {"InvalidGrantTokenException", ANNALS_KEY_ACCESS_DENIED, NULL, false, false},
    {"InvalidCiphertextException", ANNALS_KEY_MISMATCH, NULL, false, false},
    {"IncorrectKeyException", ANNALS_KEY_MISMATCH, NULL, false, false},
    {"ThrottlingException", ANNALS_KEY_THROTTLED, NULL, true, false},
    {"Throttling", ANNALS_KEY_THROTTLED, NULL, true, false},
    {"TooManyRequestsException", ANNALS_KEY_THROTTLED, NULL, true, false},
    {"RequestLimitExceeded", ANNALS_KEY_THROTTLED, NULL, true, false},
    {"LimitExceededException", ANNALS_KEY_THROTTLED, NULL, true, false},
};

/* As in "arn:aws:kms:…:key/… is pending deletion." */
static const char *state_of(const char *message) {
  static const struct {
    const char *words;
    const char *state;
  } STATES[] = {
      {"pendingdeletion", "PENDING_DELETION"},
      {"pendingreplicadeletion", "PENDING_DELETION"},
      {"pendingimport", "PENDING_IMPORT"},
      {"creating", "CREATING"},
      {"disabled", "DISABLED"},
      {"unavailable", "UNAVAILABLE"},
  };
  const char *is = g_strrstr(message, " is "); /* what is before it names the key */
  g_autofree char *lower = g_ascii_strdown(is != NULL ? is : message, -1);
  char *end = lower;
  for (const char *c = lower; *c != '\0'; c++) {
    if (g_ascii_isalpha(*c)) {
      *end++ = *c;
    }
  }
  *end = '\0';
  for (size_t i = 0; i < G_N_ELEMENTS(STATES); i++) {
    if (strstr(lower, STATES[i].words) != NULL) {
      return STATES[i].state;
    }
  }
  return NULL;
}

/* The part behind the #, and before a colon, as AWS's protocol has it. */
static char *name_of_error(const json_t *root) {
  const char *type = get_text(root, "__type");
  if (type == NULL) {
    return g_strdup("");
  }
  const char *hash = strchr(type, '#');
  const char *name = hash != NULL ? hash + 1 : type;
  return g_strndup(name, strcspn(name, ":"));
}

static const struct meaning *meaning_of(const char *error) {
  for (size_t i = 0; i < G_N_ELEMENTS(MEANINGS); i++) {
    if (strcmp(MEANINGS[i].error, error) == 0) {
      return &MEANINGS[i];
    }
  }
  return NULL;
}

static char *tell(const char *error, const char *message) {
  g_autofree char *whole = g_strdup_printf("KMS: %s: %s", error, message);
  g_autofree char *valid = g_utf8_make_valid(whole, -1);
  char *end = g_utf8_find_prev_char(valid, valid + MIN(strlen(valid), MESSAGE_BYTES_MAX) + 1);
  return strlen(valid) <= MESSAGE_BYTES_MAX ? g_steal_pointer(&valid)
                                            : g_strndup(valid, (gsize)(end - valid));
}

/* Without a name that is known, the HTTP status tells. */
static void read_status(long http_status, const char *error, const char *message,
                        struct annals_key_call *call, struct annals_kms_advice *ret_advice) {
  bool is_throttled = http_status == HTTP_TOO_MANY;
  bool is_failure = http_status < HTTP_OK || http_status >= HTTP_SERVER_ERROR;
  *ret_advice = (struct annals_kms_advice){
      .works = !is_failure,
      .retry = is_throttled || is_failure,
  };
  g_autofree char *name =
      *error != '\0' ? g_strdup(error) : g_strdup_printf("HTTP %ld", http_status);
  fail(call, is_throttled ? ANNALS_KEY_THROTTLED : ANNALS_KEY_UNAVAILABLE, tell(name, message));
}

static void read_json(long http_status, const json_t *root, struct annals_key_call *call,
                      struct annals_kms_advice *ret_advice) {
  g_autofree char *error = name_of_error(root);
  const char *message = get_text(root, "message");
  message = message != NULL ? message : get_text(root, "Message");
  message = message != NULL ? message : "no reason is given";
  const struct meaning *meaning = meaning_of(error);
  if (meaning == NULL) {
    read_status(http_status, error, message, call, ret_advice);
    return;
  }
  *ret_advice = (struct annals_kms_advice){
      .works = true,
      .retry = meaning->retry,
      .renew = meaning->renew,
  };
  fail(call, meaning->status, tell(error, message));
  if (meaning->status == ANNALS_KEY_INVALID_STATE) {
    call->key_state = meaning->key_state != NULL ? meaning->key_state : state_of(message);
  }
}

void annals_kms_reply_read_error(long http_status, const char *text, size_t size,
                                 struct annals_key_call *call,
                                 struct annals_kms_advice *ret_advice) {
  if (http_status == 0) {
    *ret_advice = (struct annals_kms_advice){.retry = true};
    fail(call, ANNALS_KEY_UNAVAILABLE, g_strdup_printf("KMS was not reached: %s", text));
    return;
  }
  json_t *root = json_loadb(text, size, 0, NULL);
  if (json_is_object(root)) {
    read_json(http_status, root, call, ret_advice);
  } else {
    read_status(http_status, "", "no reason is given", call, ret_advice);
  }
  json_decref(root);
}
