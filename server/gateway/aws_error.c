#include "server/gateway/aws_error.h"

#include <stdbool.h>
#include <string.h>

#include "proto/aws_json.h"
#include "server/history/error.h"

G_DEFINE_QUARK(annals_gateway_error, annals_gateway_error)

/* Before there are threads: the first use is not safe on two of them. */
__attribute__((constructor)) static void register_domain(void) {
  (void)annals_gateway_error_quark();
}

#define MODEL "com.amazonaws.swf.service.v2.model#"
#define VALIDATE "com.amazon.coral.validate#"
#define SERVICE "com.amazon.coral.service#"

/* Where names live. Those not listed are the service's own: MODEL. */
static const struct {
  const char *name;
  const char *prefix;
} prefixes[] = {
    {"ValidationException", VALIDATE},
    {"IncompleteSignatureException", SERVICE},
    {"InternalFailure", SERVICE},
    {"InvalidSignatureException", SERVICE},
    {"MissingAuthenticationTokenException", SERVICE},
    {"RequestEntityTooLargeException", SERVICE},
    {"SerializationException", SERVICE},
    {"ServiceUnavailable", SERVICE},
    {"UnknownOperationException", SERVICE},
};

struct line {
  const char *name;
  unsigned http_status;
  const char *reason;
};

#define LINE(code, name, http_status) [ANNALS_GATEWAY_ERROR_##code] = {name, http_status, #code}
static const struct line gateway_lines[ANNALS_GATEWAY_ERROR_COUNT] = {
    LINE(SERIALIZATION, "SerializationException", 400),
    LINE(UNKNOWN_OPERATION, "UnknownOperationException", 400),
    LINE(NOT_FOUND, "UnknownOperationException", 404),
    LINE(BODY_TOO_LARGE, "RequestEntityTooLargeException", 413),
    LINE(AMBIGUOUS_HTTP, "SerializationException", 400),
    LINE(HEAD_TOO_LARGE, "SerializationException", 431),
    LINE(HTTP_VERSION, "SerializationException", 505),
    LINE(MISSING_AUTHENTICATION, "MissingAuthenticationTokenException", 400),
    LINE(INCOMPLETE_SIGNATURE, "IncompleteSignatureException", 400),
    LINE(UNRECOGNIZED_CLIENT, "UnrecognizedClientException", 400),
    LINE(INVALID_SIGNATURE, "InvalidSignatureException", 400),
    LINE(EXPIRED_TOKEN, "ExpiredTokenException", 400),
};
#undef LINE

enum annals_reason annals_aws_error_reason(const GError *error) {
  enum annals_reason reason = annals_error_reason(error);
  bool offered = *annals_reason_info(reason)->aws_name != '\0';
  return offered ? reason : ANNALS_REASON_INTERNAL;
}

const char *annals_gateway_error_reason(enum annals_gateway_error code, unsigned *ret_status) {
  *ret_status = gateway_lines[code].http_status;
  return gateway_lines[code].reason;
}

static struct line line_of(const GError *error) {
  if (error->domain == ANNALS_GATEWAY_ERROR) {
    return gateway_lines[error->code];
  }
  const struct annals_reason_info *info = annals_reason_info(annals_aws_error_reason(error));
  return (struct line){info->aws_name, (unsigned)info->http_status, info->name};
}

const char *annals_aws_error_name(const GError *error) {
  return line_of(error).name;
}

unsigned annals_aws_error_status(const GError *error) {
  return line_of(error).http_status;
}

static const char *prefix_of(const char *name) {
  for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
    if (strcmp(prefixes[i].name, name) == 0) {
      return prefixes[i].prefix;
    }
  }
  return MODEL;
}

/* snake_case to camelCase: AWS's name of a field. */
static void append_camel_case(GString *out, const char *field) {
  for (; *field != '\0'; field++) {
    if (*field == '_' && field[1] != '\0') {
      field++;
      g_string_append_c(out, g_ascii_toupper(*field));
    } else {
      g_string_append_c(out, *field);
    }
  }
}

/* `2 validation errors detected: Value null at 'a' failed to satisfy constraint: …; Value '…' at …`
 */
static char *violations_message(const GPtrArray *violations) {
  GString *out = g_string_new(NULL);
  g_string_printf(out, "%u validation error%s detected: ", violations->len,
                  violations->len == 1 ? "" : "s");
  for (guint i = 0; i < violations->len; i++) {
    const struct annals_violation *violation = violations->pdata[i];
    g_string_append(out, i == 0 ? "Value " : "; Value ");
    if (violation->value == NULL) {
      g_string_append(out, "null at '");
    } else {
      g_string_append_printf(out, "'%s' at '", violation->value);
    }
    append_camel_case(out, violation->field);
    g_string_append_printf(out, "' failed to satisfy constraint: %s", violation->constraint);
  }
  return g_string_free(out, FALSE);
}

static char *message_of(const GError *error) {
  if (error->domain == ANNALS_GATEWAY_ERROR) {
    return g_strdup(error->message);
  }
  enum annals_reason reason = annals_error_reason(error);
  if (annals_reason_info(reason)->http_status >= 500) {
    return g_strdup(annals_reason_info(reason)->meaning);
  }
  switch (reason) {
    case ANNALS_REASON_EXECUTION_DOES_NOT_EXIST:
      return g_strdup_printf("Execution Does Not Exist: '%s'",
                             annals_error_metadata_value(error, "execution_arn"));
    case ANNALS_REASON_INVALID_ARN:
      return g_strdup_printf("Invalid Arn: '%s'", error->message);
    case ANNALS_REASON_INVALID_TOKEN:
      return g_strdup("Invalid Token: 'Invalid token'");
    case ANNALS_REASON_OVERLOADED:
    case ANNALS_REASON_RATE_EXCEEDED:
      return g_strdup("Rate exceeded");
    default:
      return annals_error_violations(error)->len > 0
                 ? violations_message(annals_error_violations(error))
                 : g_strdup(error->message);
  }
}

/* The member that KmsInvalidStateException has beside its message. */
static void append_key_state(const GError *error, struct annals_buffer *out) {
  const char *state =
      error->domain == ANNALS_ERROR ? annals_error_metadata_value(error, "kms_key_state") : NULL;
  if (state != NULL) {
    annals_buffer_append_text(out, ",\"kmsKeyState\":\"");
    annals_buffer_append_text(out, state);
    annals_buffer_append_byte(out, '"');
  }
}

void annals_aws_error_append(const GError *error, struct annals_buffer *out) {
  const char *name = annals_aws_error_name(error);
  g_autofree char *message = message_of(error);
  g_autofree char *valid = g_utf8_make_valid(message, -1);
  annals_buffer_append_text(out, "{\"__type\":\"");
  annals_buffer_append_text(out, prefix_of(name));
  annals_buffer_append_text(out, name);
  annals_buffer_append_text(out, "\",\"message\":");
  annals_aws_json_append_string(out, valid, strlen(valid));
  append_key_state(error, out);
  annals_buffer_append_byte(out, '}');
}
