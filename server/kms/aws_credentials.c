#include "server/kms/aws_credentials.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <string.h>

struct annals_aws_credentials *annals_aws_credentials_new(const char *id, const char *secret,
                                                          const char *token) {
  struct annals_aws_credentials *credentials = g_new(struct annals_aws_credentials, 1);
  *credentials = (struct annals_aws_credentials){
      .id = g_strdup(id),
      .secret = g_strdup(secret),
      .token = token != NULL && *token != '\0' ? g_strdup(token) : NULL,
      .expires_us = INT64_MAX,
  };
  return credentials;
}

static void wipe(char *text) {
  if (text != NULL) {
    OPENSSL_cleanse(text, strlen(text));
    g_free(text);
  }
}

void annals_aws_credentials_free(struct annals_aws_credentials *credentials) {
  if (credentials != NULL) {
    g_free(credentials->id);
    wipe(credentials->secret);
    wipe(credentials->token);
    g_free(credentials);
  }
}

/* What is signed with or sent as a header may not break out of it. */
static bool is_printable(const char *text) {
  for (const char *c = text; *c != '\0'; c++) {
    if (!g_ascii_isgraph(*c)) {
      return false;
    }
  }
  return true;
}

/* NULL: something is missing, or not as it should be. expiration NULL: never. */
static struct annals_aws_credentials *make(const char *id, const char *secret, const char *token,
                                           const char *expiration) {
  if (id == NULL || *id == '\0' || secret == NULL || *secret == '\0' || !is_printable(id) ||
      !is_printable(secret) || (token != NULL && !is_printable(token))) {
    return NULL;
  }
  int64_t expires_us = INT64_MAX;
  if (expiration != NULL) {
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(expiration, NULL);
    if (time == NULL) {
      return NULL;
    }
    expires_us = g_date_time_to_unix(time) * G_USEC_PER_SEC;
  }
  struct annals_aws_credentials *credentials = annals_aws_credentials_new(id, secret, token);
  credentials->expires_us = expires_us;
  return credentials;
}

/* --- the shared credentials file --- */

/* AWS has comments that GLib does not know. */
static char *without_semicolons(const char *text) {
  char *copy = g_strdup(text);
  bool is_first = true;
  for (char *c = copy; *c != '\0'; c++) {
    *c = is_first && *c == ';' ? '#' : *c;
    is_first = *c == '\n';
  }
  return copy;
}

struct annals_aws_credentials *annals_aws_credentials_of_file(const char *text, const char *profile,
                                                              GError **error) {
  g_autoptr(GKeyFile) file = g_key_file_new();
  char *lines = without_semicolons(text);
  bool ok = g_key_file_load_from_data(file, lines, strlen(lines), G_KEY_FILE_NONE, NULL);
  wipe(lines);
  if (!ok) {
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE,
                "groups with lines of NAME = VALUE are expected");
    return NULL;
  }
  g_autofree char *id = g_key_file_get_value(file, profile, "aws_access_key_id", NULL);
  char *secret = g_key_file_get_value(file, profile, "aws_secret_access_key", NULL);
  char *token = g_key_file_get_value(file, profile, "aws_session_token", NULL);
  struct annals_aws_credentials *credentials = make(id, secret, token, NULL);
  wipe(secret);
  wipe(token);
  if (credentials == NULL) {
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                "there is no aws_access_key_id with an aws_secret_access_key in [%s]", profile);
  }
  return credentials;
}

/* --- JSON --- */

struct annals_aws_credentials *annals_aws_credentials_of_json(const char *text, size_t size) {
  json_t *root = json_loadb(text, size, 0, NULL);
  struct annals_aws_credentials *credentials =
      make(json_string_value(json_object_get(root, "AccessKeyId")),
           json_string_value(json_object_get(root, "SecretAccessKey")),
           json_string_value(json_object_get(root, "Token")),
           json_string_value(json_object_get(root, "Expiration")));
  json_decref(root);
  return credentials;
}

/* --- XML --- */

enum { FIELD_ID, FIELD_SECRET, FIELD_TOKEN, FIELD_EXPIRATION, FIELD_COUNT };

static const char *const FIELDS[FIELD_COUNT] = {"AccessKeyId", "SecretAccessKey", "SessionToken",
                                                "Expiration"};

static void take_text(GMarkupParseContext *context, const gchar *text, gsize size, gpointer user,
                      G_GNUC_UNUSED GError **error) {
  char **fields = user;
  const char *element = g_markup_parse_context_get_element(context);
  for (int i = 0; i < FIELD_COUNT; i++) {
    if (strcmp(element, FIELDS[i]) == 0 && fields[i] == NULL) {
      fields[i] = g_strndup(text, size);
    }
  }
}

struct annals_aws_credentials *annals_aws_credentials_of_xml(const char *text, size_t size) {
  static const GMarkupParser PARSER = {.text = take_text};
  char *fields[FIELD_COUNT] = {NULL};
  GMarkupParseContext *context = g_markup_parse_context_new(&PARSER, 0, fields, NULL);
  bool ok = g_markup_parse_context_parse(context, text, (gssize)size, NULL) &&
            g_markup_parse_context_end_parse(context, NULL);
  g_markup_parse_context_free(context);
  struct annals_aws_credentials *credentials =
      ok && fields[FIELD_EXPIRATION] != NULL ? make(fields[FIELD_ID], fields[FIELD_SECRET],
                                                    fields[FIELD_TOKEN], fields[FIELD_EXPIRATION])
                                             : NULL;
  for (int i = 0; i < FIELD_COUNT; i++) {
    wipe(fields[i]);
  }
  return credentials;
}
