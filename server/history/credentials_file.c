#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/history/credentials_internal.h"

enum { BEARER_TOKEN_BYTES_MIN = 16 };

/* --- lines --- */

/* Where the reader is. */
struct reader {
  struct annals_credentials *credentials;
  const char *path;
  size_t line;
  struct annals_principal *principal; /* NULL before the first group */
  struct annals_access_key *key;      /* that the lines are about, NULL: none */
  int64_t *expires_s;                 /* of the key or token that the lines are about, or NULL */
  bool is_known;                      /* there is a way for the principal to prove who it is */
};

/* Fails at the line; field may be NULL, and is where there is no principal. */
G_GNUC_PRINTF(4, 5)
static bool refuse(const struct reader *reader, GError **error, const char *field,
                   const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *problem = g_strdup_vprintf(format, args);
  va_end(args);
  GString *where = g_string_new(NULL);
  if (reader->principal != NULL) {
    g_string_append_printf(where, "[%s]%s%s: ", reader->principal->name, field == NULL ? "" : " ",
                           field == NULL ? "" : field);
  }
  g_set_error(error, ANNALS_CREDENTIALS_ERROR, 0, "%s:%zu: %s%s", reader->path, reader->line,
              where->str, problem);
  g_string_free(where, TRUE);
  return false;
}

static bool is_id(const char *text) {
  return *text != '\0' && strlen(text) <= ANNALS_ACCESS_KEY_ID_BYTES_MAX &&
         strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.") == strlen(text);
}

/* Without blanks: those that editors leave at the ends are never meant. */
static bool is_secret(const char *text) {
  for (const char *c = text; *c != '\0'; c++) {
    if (!g_ascii_isgraph(*c)) {
      return false;
    }
  }
  return *text != '\0';
}

/* Ends the key that the lines have been about, if any; field begins something else. */
static bool end_key(struct reader *reader, const char *field, GError **error) {
  if (reader->key != NULL && reader->key->secret == NULL) {
    return refuse(reader, error, field, "the key before it has no secret_access_key");
  }
  reader->key = NULL;
  return true;
}

static bool take_id(struct reader *reader, const char *value, GError **error) {
  if (!is_id(value)) {
    return refuse(reader, error, "access_key_id", "1 to %d letters, digits, and _ - . are expected",
                  ANNALS_ACCESS_KEY_ID_BYTES_MAX);
  }
  if (g_hash_table_contains(reader->credentials->keys, value)) {
    return refuse(reader, error, "access_key_id", "'%s' stands in the file twice", value);
  }
  if (!end_key(reader, "access_key_id", error)) {
    return false;
  }
  struct annals_access_key *key = g_new0(struct annals_access_key, 1);
  key->id = g_strdup(value);
  key->expires_s = INT64_MAX;
  key->principal = reader->principal;
  g_hash_table_insert(reader->credentials->keys, key->id, key);
  reader->key = key;
  reader->expires_s = &key->expires_s;
  reader->is_known = true;
  return true;
}

static bool take_token(struct reader *reader, const char *value, GError **error) {
  size_t size = strlen(value);
  if (!end_key(reader, "token", error)) {
    return false;
  }
  if (!is_secret(value) || size < BEARER_TOKEN_BYTES_MIN || size > ANNALS_BEARER_TOKEN_BYTES_MAX) {
    return refuse(reader, error, "token",
                  "%d to %d characters of printable ASCII without blanks are expected",
                  BEARER_TOKEN_BYTES_MIN, ANNALS_BEARER_TOKEN_BYTES_MAX);
  }
  g_autofree char *hash = annals_bearer_token_hash(value);
  if (g_hash_table_contains(reader->credentials->tokens, hash)) {
    return refuse(reader, error, "token", "it stands in the file twice");
  }
  struct annals_bearer_token *token = g_new0(struct annals_bearer_token, 1);
  token->hash = g_steal_pointer(&hash);
  token->expires_s = INT64_MAX;
  token->principal = reader->principal;
  g_hash_table_insert(reader->credentials->tokens, token->hash, token);
  reader->expires_s = &token->expires_s;
  reader->is_known = true;
  return true;
}

/* Gives the form in which names are looked up, or NULL if it is none. The caller frees it. */
static char *certificate_name(const char *text) {
  if (g_str_has_prefix(text, "DNS:") && text[4] != '\0') {
    g_autofree char *lower = g_ascii_strdown(text + 4, -1);
    return g_strconcat("DNS:", lower, NULL);
  }
  bool is_other = (g_str_has_prefix(text, "URI:") && text[4] != '\0') ||
                  (g_str_has_prefix(text, "CN:") && text[3] != '\0');
  return is_other ? g_strdup(text) : NULL;
}

static bool take_certificate(struct reader *reader, const char *value, GError **error) {
  if (!end_key(reader, "certificate", error)) {
    return false;
  }
  g_autofree char *name = certificate_name(value);
  if (name == NULL) {
    return refuse(reader, error, "certificate", "URI:…, DNS:… or CN:… is expected");
  }
  if (g_hash_table_contains(reader->credentials->certificates, name)) {
    return refuse(reader, error, "certificate", "'%s' stands in the file twice", name);
  }
  g_hash_table_insert(reader->credentials->certificates, g_steal_pointer(&name), reader->principal);
  reader->expires_s = NULL;
  reader->is_known = true;
  return true;
}

static bool take_secret(struct reader *reader, const char *field, const char *value, char **secret,
                        GError **error) {
  if (*secret != NULL) {
    return refuse(reader, error, field, "the key has one already");
  }
  if (!is_secret(value)) {
    return refuse(reader, error, field, "printable ASCII without blanks is expected");
  }
  *secret = g_strdup(value);
  return true;
}

static bool take_expiry(struct reader *reader, const char *value, GError **error) {
  if (reader->expires_s == NULL) {
    return refuse(reader, error, "expires", "access_key_id or token must stand before it");
  }
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
  g_autoptr(GDateTime) at = g_date_time_new_from_iso8601(value, utc);
  if (at == NULL) {
    return refuse(reader, error, "expires", "a time such as 2027-01-01T00:00:00Z is expected");
  }
  if (*reader->expires_s != INT64_MAX) {
    return refuse(reader, error, "expires", "there is one already");
  }
  *reader->expires_s = g_date_time_to_unix(at);
  return true;
}

static bool take_rule(struct reader *reader, const char *value, GError **error) {
  g_autoptr(GError) why = NULL;
  struct annals_rule *rule = annals_rule_parse(value, &why);
  if (rule == NULL) {
    return refuse(reader, error, "allow", "%s", why->message);
  }
  g_ptr_array_add(reader->principal->rules, rule);
  return true;
}

/* Takes a secret of the key that the lines before it have begun. */
static bool take_secret_of_key(struct reader *reader, const char *field, const char *value,
                               GError **error) {
  struct annals_access_key *key = reader->key;
  if (key == NULL) {
    return refuse(reader, error, field, "access_key_id must stand before it");
  }
  bool is_token = strcmp(field, "session_token") == 0;
  return take_secret(reader, field, value, is_token ? &key->session_token : &key->secret, error);
}

static bool take_setting(struct reader *reader, const char *field, const char *value,
                         GError **error) {
  if (strcmp(field, "allow") == 0) {
    return take_rule(reader, value, error);
  }
  if (strcmp(field, "access_key_id") == 0) {
    return take_id(reader, value, error);
  }
  if (strcmp(field, "token") == 0) {
    return take_token(reader, value, error);
  }
  if (strcmp(field, "certificate") == 0) {
    return take_certificate(reader, value, error);
  }
  if (strcmp(field, "expires") == 0) {
    return take_expiry(reader, value, error);
  }
  if (strcmp(field, "session_token") == 0 || strcmp(field, "secret_access_key") == 0) {
    return take_secret_of_key(reader, field, value, error);
  }
  return refuse(reader, error, field, "no such key");
}

/* Ends the group that is being read. */
static bool end_group(struct reader *reader, GError **error) {
  if (reader->principal == NULL) {
    return true;
  }
  if (!reader->is_known) {
    return refuse(reader, error, NULL,
                  "the principal ends here without an access_key_id, a token or a certificate");
  }
  if (reader->key != NULL && reader->key->secret == NULL) {
    return refuse(reader, error, NULL, "the principal ends here without a secret_access_key for %s",
                  reader->key->id);
  }
  return true;
}

/* text: from behind the opening bracket to the line's end. */
static bool begin_group(struct reader *reader, const char *text, GError **error) {
  if (!end_group(reader, error)) {
    return false;
  }
  reader->principal = NULL;
  reader->key = NULL;
  reader->expires_s = NULL;
  reader->is_known = false;
  size_t size = strcspn(text, "]");
  if (text[size] == '\0' || text[size + 1] != '\0' || size == 0 ||
      size > ANNALS_PRINCIPAL_NAME_BYTES_MAX) {
    return refuse(reader, error, NULL, "[PRINCIPAL] with a name of 1 to %d bytes is expected",
                  ANNALS_PRINCIPAL_NAME_BYTES_MAX);
  }
  g_autofree char *name = g_strndup(text, size);
  if (g_hash_table_contains(reader->credentials->names, name)) {
    return refuse(reader, error, NULL, "the principal '%s' stands in the file twice", name);
  }
  struct annals_principal *principal = annals_principal_new(name);
  g_ptr_array_add(reader->credentials->principals, principal);
  g_hash_table_add(reader->credentials->names, principal->name);
  reader->principal = principal;
  return true;
}

static bool take_line(struct reader *reader, char *line, GError **error) {
  g_strstrip(line);
  if (*line == '\0' || *line == '#' || *line == ';') {
    return true;
  }
  if (*line == '[') {
    return begin_group(reader, line + 1, error);
  }
  char *equals = strchr(line, '=');
  if (equals == NULL) {
    return refuse(reader, error, NULL, "[PRINCIPAL] or KEY = VALUE is expected");
  }
  *equals = '\0';
  if (reader->principal == NULL) {
    return refuse(reader, error, NULL, "a [PRINCIPAL] must stand before it");
  }
  return take_setting(reader, g_strchomp(line), g_strchug(equals + 1), error);
}

static bool take_lines(struct reader *reader, char *text, GError **error) {
  for (char *line = text; line != NULL;) {
    char *end = strchr(line, '\n');
    if (end != NULL) {
      *end++ = '\0';
    }
    reader->line++;
    if (!take_line(reader, line, error)) {
      return false;
    }
    line = end;
  }
  return end_group(reader, error);
}

struct annals_credentials *annals_credentials_parse(const char *path, char *text, size_t size,
                                                    GError **error) {
  struct reader reader = {.credentials = annals_credentials_new(), .path = path};
  bool ok = false;
  if (!g_utf8_validate(text, (gssize)size, NULL) || strlen(text) != size) {
    g_set_error(error, ANNALS_CREDENTIALS_ERROR, 0, "%s: not UTF-8 text", path);
  } else {
    ok = take_lines(&reader, text, error);
  }
  if (!ok) {
    annals_credentials_unref(reader.credentials);
    return NULL;
  }
  return reader.credentials;
}

/* --- the file --- */

static bool refuse_file(GError **error, const char *path, const char *problem) {
  g_set_error(error, ANNALS_CREDENTIALS_ERROR, 0, "%s: %s", path, problem);
  return false;
}

static bool check_file(int file, const char *path, GError **error) {
  struct stat status;
  if (fstat(file, &status) != 0) {
    return refuse_file(error, path, g_strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return refuse_file(error, path, "not a regular file");
  }
  if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    return refuse_file(error, path,
                       "others can read or change it: its mode must be 600, 640 or less");
  }
  return true;
}

/* Reads at most max bytes, and a NUL behind them; returns how many, or -1. */
static ssize_t read_all(int file, char *ret_text, size_t max) {
  size_t size = 0;
  while (size < max) {
    ssize_t more = read(file, ret_text + size, max - size);
    if (more < 0 && errno == EINTR) {
      continue;
    }
    if (more < 0) {
      return -1;
    }
    if (more == 0) {
      break;
    }
    size += (size_t)more;
  }
  ret_text[size] = '\0';
  return (ssize_t)size;
}

static struct annals_credentials *load_from(int file, const char *path, GError **error) {
  if (!check_file(file, path, error)) {
    return NULL;
  }
  const size_t max = ANNALS_CREDENTIALS_FILE_BYTES_MAX + 1;
  char *text = g_malloc(max + 1);
  struct annals_credentials *credentials = NULL;
  ssize_t size = read_all(file, text, max);
  if (size < 0) {
    (void)refuse_file(error, path, g_strerror(errno));
  } else if ((size_t)size == max) {
    (void)refuse_file(error, path, "longer than 1 MiB");
  } else {
    credentials = annals_credentials_parse(path, text, (size_t)size, error);
  }
  OPENSSL_cleanse(text, max + 1);
  g_free(text);
  return credentials;
}

struct annals_credentials *annals_credentials_load(const char *path, GError **error) {
  /* Non-blocking: opening a FIFO would wait for a writer. */
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    (void)refuse_file(error, path, g_strerror(errno));
    return NULL;
  }
  struct annals_credentials *credentials = load_from(file, path, error);
  close(file);
  return credentials;
}
