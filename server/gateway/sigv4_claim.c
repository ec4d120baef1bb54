#include "server/gateway/sigv4_claim.h"

#include <string.h>

#include "server/gateway/aws_error.h"
#include "server/gateway/sigv4_canonical.h"

/* What a claim consists of, by the names that messages have for it. */
enum field {
  FIELD_ALGORITHM,
  FIELD_CREDENTIAL,
  FIELD_SIGNED_HEADERS,
  FIELD_SIGNATURE,
  FIELD_DATE,
  FIELD_EXPIRES,
  FIELD_SECURITY_TOKEN,
  FIELD_CONTENT_SHA256,
  FIELD_COUNT,
};

/* Parameters of a presigned URL, and, without their beginning, of the Authorization header. */
static const char *const parameters[FIELD_COUNT] = {
    [FIELD_ALGORITHM] = "X-Amz-Algorithm",
    [FIELD_CREDENTIAL] = "X-Amz-Credential",
    [FIELD_SIGNED_HEADERS] = "X-Amz-SignedHeaders",
    [FIELD_SIGNATURE] = "X-Amz-Signature",
    [FIELD_DATE] = "X-Amz-Date",
    [FIELD_EXPIRES] = "X-Amz-Expires",
    [FIELD_SECURITY_TOKEN] = "X-Amz-Security-Token",
    [FIELD_CONTENT_SHA256] = "X-Amz-Content-Sha256",
};

/* As they stand in the request; NULL: absent. */
struct fields {
  char *texts[FIELD_COUNT];
};

static void clear_fields(struct fields *fields) {
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    g_clear_pointer(&fields->texts[i], g_free);
  }
}

G_GNUC_PRINTF(2, 3)
static bool incomplete(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_propagate_error(
      error, g_error_new_valist(ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_INCOMPLETE_SIGNATURE,
                                format, args));
  va_end(args);
  return false;
}

/* --- where the fields stand --- */

/* Finds a header that may be there once. *ret_value: NULL when it is not there. */
static bool find_header(const struct annals_sigv4_request *request, const char *name,
                        const char **ret_value, GError **error) {
  const char *value = NULL;
  for (size_t i = 0; i < request->header_count; i++) {
    if (g_ascii_strcasecmp(request->headers[i].name, name) == 0) {
      if (value != NULL) {
        return incomplete(error, "The header '%s' is repeated.", name);
      }
      value = request->headers[i].value;
    }
  }
  *ret_value = value;
  return true;
}

static bool read_header(const struct annals_sigv4_request *request, const char *name,
                        char **ret_text, GError **error) {
  const char *value;
  if (!find_header(request, name, &value, error)) {
    return false;
  }
  if (value != NULL && *ret_text == NULL) {
    *ret_text = g_strstrip(g_strdup(value));
  }
  return true;
}

static bool read_parameter(const char *text, size_t size, struct fields *fields, GError **error) {
  size_t name_size = MIN(strcspn(text, "="), size);
  size_t value_at = MIN(name_size + 1, size);
  g_autofree char *name = g_uri_unescape_segment(text, text + name_size, NULL);
  for (size_t i = 0; name != NULL && i < FIELD_COUNT; i++) {
    if (strcmp(name, parameters[i]) != 0) {
      continue;
    }
    if (fields->texts[i] != NULL) {
      return incomplete(error, "The query parameter '%s' is repeated.", name);
    }
    fields->texts[i] = g_uri_unescape_segment(text + value_at, text + size, NULL);
    if (fields->texts[i] == NULL) {
      return incomplete(error, "The query parameter '%s' is not text.", name);
    }
  }
  return true;
}

static bool read_query(const char *query, struct fields *fields, GError **error) {
  while (*query != '\0') {
    size_t size = strcspn(query, "&");
    if (!read_parameter(query, size, fields, error)) {
      return false;
    }
    query += size + (query[size] == '&' ? 1 : 0);
  }
  return true;
}

/* One `Credential=…` of the header. */
static bool read_pair(const char *pair, struct fields *fields, GError **error) {
  const char *equals = strchr(pair, '=');
  if (equals == NULL) {
    return incomplete(error,
                      "'%s' not a valid key=value pair (missing equal-sign) in "
                      "Authorization header.",
                      pair);
  }
  for (size_t i = FIELD_CREDENTIAL; i <= FIELD_SIGNATURE; i++) {
    const char *name = parameters[i] + strlen("X-Amz-");
    if (strlen(name) == (size_t)(equals - pair) && strncmp(pair, name, strlen(name)) == 0) {
      if (fields->texts[i] != NULL) {
        return incomplete(error, "'%s' is repeated in Authorization header.", name);
      }
      fields->texts[i] = g_strdup(equals + 1);
    }
  }
  return true;
}

static bool read_authorization(const struct annals_sigv4_request *request, const char *value,
                               struct fields *fields, GError **error) {
  value += strspn(value, " \t");
  size_t size = strcspn(value, " \t,");
  fields->texts[FIELD_ALGORITHM] = g_strndup(value, size);
  g_auto(GStrv) pairs = g_strsplit(value + size, ",", -1);
  for (char **pair = pairs; *pair != NULL; pair++) {
    if (*g_strstrip(*pair) != '\0' && !read_pair(*pair, fields, error)) {
      return false;
    }
  }
  return read_header(request, "X-Amz-Date", &fields->texts[FIELD_DATE], error) &&
         (fields->texts[FIELD_DATE] != NULL ||
          read_header(request, "Date", &fields->texts[FIELD_DATE], error)) &&
         read_header(request, "X-Amz-Security-Token", &fields->texts[FIELD_SECURITY_TOKEN], error);
}

/* --- what the fields say --- */

static bool check_presence(const struct fields *fields, bool presigned, GError **error) {
  g_autoptr(GString) missing = g_string_new(NULL);
  for (size_t i = FIELD_ALGORITHM; i <= FIELD_EXPIRES; i++) {
    bool given = fields->texts[i] != NULL && *fields->texts[i] != '\0';
    if (given || (!presigned && i == FIELD_EXPIRES)) {
      continue;
    }
    g_string_append(missing, missing->len == 0 ? "" : " ");
    if (presigned) {
      g_string_append_printf(missing, "AWS query-string parameters must include '%s'.",
                             parameters[i]);
    } else if (i == FIELD_DATE) {
      g_string_append(missing,
                      "Authorization header requires existence of either a 'X-Amz-Date' "
                      "or a 'Date' header.");
    } else {
      g_string_append_printf(missing, "Authorization header requires '%s' parameter.",
                             parameters[i] + strlen("X-Amz-"));
    }
  }
  return missing->len == 0 || incomplete(error, "%s", missing->str);
}

static bool take_algorithm(const struct fields *fields, GError **error) {
  const char *text = fields->texts[FIELD_ALGORITHM];
  return strcmp(text, ANNALS_SIGV4_ALGORITHM) == 0 ||
         incomplete(error,
                    "Unsupported AWS 'algorithm': '%s', " ANNALS_SIGV4_ALGORITHM " is expected.",
                    text);
}

static bool take_credential(const struct fields *fields, struct annals_sigv4_claim *claim,
                            GError **error) {
  const char *text = fields->texts[FIELD_CREDENTIAL];
  claim->credential = g_strsplit(text, "/", -1);
  bool whole = g_strv_length(claim->credential) == ANNALS_SIGV4_CREDENTIAL_PARTS &&
               !g_strv_contains((const char *const *)claim->credential, "");
  return whole || incomplete(error,
                             "Credential must have exactly 5 slash-delimited elements, e.g. "
                             "keyid/date/region/service/term, got '%s'",
                             text);
}

/* Signers sort: another order would make two texts of one meaning. */
static bool take_signed_headers(const struct fields *fields, struct annals_sigv4_claim *claim,
                                GError **error) {
  claim->signed_headers = g_strsplit(fields->texts[FIELD_SIGNED_HEADERS], ";", -1);
  const char *last = "";
  for (char **name = claim->signed_headers; *name != NULL; name++) {
    g_autofree char *lower = g_ascii_strdown(*name, -1);
    if (strcmp(*name, lower) != 0 || strcmp(last, *name) >= 0) {
      return incomplete(error,
                        "SignedHeaders must be in lower case and in order, each once, got "
                        "'%s'",
                        fields->texts[FIELD_SIGNED_HEADERS]);
    }
    last = *name;
  }
  return true;
}

/* Reads so many digits. */
static int digits(const char *text, size_t count) {
  int number = 0;
  for (size_t i = 0; i < count; i++) {
    number = 10 * number + (text[i] - '0');
  }
  return number;
}

static bool read_timestamp(const char *text, int64_t *ret_s) {
  static const char form[] = "00000000T000000Z";
  for (size_t i = 0; i < sizeof form; i++) {
    if (form[i] == '0' ? !g_ascii_isdigit(text[i]) : text[i] != form[i]) {
      return false;
    }
  }
  g_autoptr(GDateTime) at =
      g_date_time_new_utc(digits(text, 4), digits(text + 4, 2), digits(text + 6, 2),
                          digits(text + 9, 2), digits(text + 11, 2), digits(text + 13, 2));
  if (at == NULL) {
    return false;
  }
  *ret_s = g_date_time_to_unix(at);
  return true;
}

static bool take_times(const struct fields *fields, struct annals_sigv4_claim *claim,
                       GError **error) {
  const char *text = fields->texts[FIELD_DATE];
  if (!read_timestamp(text, &claim->signed_at_s)) {
    return incomplete(error, "Date must be in ISO-8601 'basic format'. Got '%s'.", text);
  }
  guint64 expires = 0;
  if (claim->presigned && !g_ascii_string_to_unsigned(fields->texts[FIELD_EXPIRES], 10, 1,
                                                      ANNALS_SIGV4_EXPIRES_MAX, &expires, NULL)) {
    return incomplete(error, "X-Amz-Expires must be a number of seconds from 1 to %d, got '%s'",
                      ANNALS_SIGV4_EXPIRES_MAX, fields->texts[FIELD_EXPIRES]);
  }
  claim->expires_s = (int64_t)expires;
  return true;
}

static bool take_fields(struct fields *fields, struct annals_sigv4_claim *claim, GError **error) {
  if (!check_presence(fields, claim->presigned, error) || !take_algorithm(fields, error) ||
      !take_credential(fields, claim, error) || !take_signed_headers(fields, claim, error) ||
      !take_times(fields, claim, error)) {
    return false;
  }
  claim->signature = g_steal_pointer(&fields->texts[FIELD_SIGNATURE]);
  claim->timestamp = g_steal_pointer(&fields->texts[FIELD_DATE]);
  claim->session_token = g_steal_pointer(&fields->texts[FIELD_SECURITY_TOKEN]);
  claim->payload_hash = g_steal_pointer(&fields->texts[FIELD_CONTENT_SHA256]);
  return true;
}

/* Finds out which form the claim has, and where its fields stand. */
static bool read_fields(const struct annals_sigv4_request *request, struct fields *fields,
                        bool *ret_presigned, GError **error) {
  const char *authorization;
  if (!find_header(request, "Authorization", &authorization, error) ||
      !read_query(annals_sigv4_query(request->target), fields, error)) {
    return false;
  }
  bool signs = authorization != NULL &&
               g_str_has_prefix(authorization + strspn(authorization, " \t"), "AWS");
  *ret_presigned = fields->texts[FIELD_ALGORITHM] != NULL ||
                   fields->texts[FIELD_SIGNATURE] != NULL ||
                   fields->texts[FIELD_CREDENTIAL] != NULL;
  if (!signs && !*ret_presigned) {
    g_set_error_literal(error, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_MISSING_AUTHENTICATION,
                        "Request is missing Authentication Token");
    return false;
  }
  if (signs && *ret_presigned) {
    return incomplete(error,
                      "Authorization header and query-string parameters exclude each other.");
  }
  if (signs) {
    clear_fields(fields);
    return read_authorization(request, authorization, fields, error);
  }
  return true;
}

bool annals_sigv4_claim_read(const struct annals_sigv4_request *request,
                             struct annals_sigv4_claim *ret_claim, GError **error) {
  struct fields fields = {0};
  struct annals_sigv4_claim claim = {0};
  bool ok =
      read_fields(request, &fields, &claim.presigned, error) &&
      read_header(request, "X-Amz-Content-Sha256", &fields.texts[FIELD_CONTENT_SHA256], error) &&
      take_fields(&fields, &claim, error);
  clear_fields(&fields);
  if (!ok) {
    annals_sigv4_claim_clear(&claim);
    return false;
  }
  *ret_claim = claim;
  return true;
}

void annals_sigv4_claim_clear(struct annals_sigv4_claim *claim) {
  g_strfreev(claim->credential);
  g_strfreev(claim->signed_headers);
  g_free(claim->signature);
  g_free(claim->timestamp);
  g_free(claim->session_token);
  g_free(claim->payload_hash);
  *claim = (struct annals_sigv4_claim){0};
}
