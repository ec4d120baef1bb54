#include "server/history/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct annals_credentials {
  gint references;
  GPtrArray *principals; /* struct annals_principal * */
  GHashTable *names;     /* of the principals, a set: they own the texts */
  GHashTable *keys;      /* id to struct annals_access_key *; the key owns the id */
};

G_DEFINE_QUARK(annals_credentials_error, annals_credentials_error)

/* Before there are threads: the first use is not safe on two of them. */
__attribute__((constructor)) static void register_domain(void) {
  (void)annals_credentials_error_quark();
}

/* --- life --- */

static void free_secret(char *secret) {
  if (secret != NULL) {
    OPENSSL_cleanse(secret, strlen(secret));
    g_free(secret);
  }
}

static void free_key(gpointer data) {
  struct annals_access_key *key = data;
  g_free(key->id);
  free_secret(key->secret);
  free_secret(key->session_token);
  g_free(key);
}

static void free_rule(gpointer data) {
  annals_rule_free(data);
}

static void free_principal(gpointer data) {
  struct annals_principal *principal = data;
  g_free(principal->name);
  g_ptr_array_unref(principal->rules);
  g_free(principal);
}

static struct annals_credentials *credentials_new(void) {
  struct annals_credentials *credentials = g_new0(struct annals_credentials, 1);
  credentials->references = 1;
  credentials->principals = g_ptr_array_new_with_free_func(free_principal);
  credentials->names = g_hash_table_new(g_str_hash, g_str_equal);
  credentials->keys = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_key);
  return credentials;
}

struct annals_credentials *annals_credentials_ref(struct annals_credentials *credentials) {
  g_atomic_int_inc(&credentials->references);
  return credentials;
}

void annals_credentials_unref(struct annals_credentials *credentials) {
  if (credentials != NULL && g_atomic_int_dec_and_test(&credentials->references)) {
    g_hash_table_unref(credentials->keys);
    g_hash_table_unref(credentials->names);
    g_ptr_array_unref(credentials->principals);
    g_free(credentials);
  }
}

const struct annals_access_key *annals_credentials_find_key(
    const struct annals_credentials *credentials, const char *access_key_id) {
  return g_hash_table_lookup(credentials->keys, access_key_id);
}

size_t annals_credentials_principal_count(const struct annals_credentials *credentials) {
  return credentials->principals->len;
}

/* --- lines --- */

/* Where the reader is. */
struct reader {
  struct annals_credentials *credentials;
  const char *path;
  size_t line;
  struct annals_principal *principal; /* NULL before the first group */
  struct annals_access_key *key;      /* the last one of the principal, NULL: none yet */
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

static bool take_id(struct reader *reader, const char *value, GError **error) {
  if (!is_id(value)) {
    return refuse(reader, error, "access_key_id", "1 to %d letters, digits, and _ - . are expected",
                  ANNALS_ACCESS_KEY_ID_BYTES_MAX);
  }
  if (g_hash_table_contains(reader->credentials->keys, value)) {
    return refuse(reader, error, "access_key_id", "'%s' stands in the file twice", value);
  }
  if (reader->key != NULL && reader->key->secret == NULL) {
    return refuse(reader, error, "access_key_id", "the key before it has no secret_access_key");
  }
  struct annals_access_key *key = g_new0(struct annals_access_key, 1);
  key->id = g_strdup(value);
  key->expires_s = INT64_MAX;
  key->principal = reader->principal;
  g_hash_table_insert(reader->credentials->keys, key->id, key);
  reader->key = key;
  return true;
}

/* Takes a secret of the key that the lines before it have begun. */
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
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
  g_autoptr(GDateTime) at = g_date_time_new_from_iso8601(value, utc);
  if (at == NULL) {
    return refuse(reader, error, "expires", "a time such as 2027-01-01T00:00:00Z is expected");
  }
  if (reader->key->expires_s != INT64_MAX) {
    return refuse(reader, error, "expires", "the key has one already");
  }
  reader->key->expires_s = g_date_time_to_unix(at);
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

static bool take_setting(struct reader *reader, const char *field, const char *value,
                         GError **error) {
  struct annals_access_key *key = reader->key;
  if (strcmp(field, "allow") == 0) {
    return take_rule(reader, value, error);
  }
  if (strcmp(field, "access_key_id") == 0) {
    return take_id(reader, value, error);
  }
  bool is_expiry = strcmp(field, "expires") == 0;
  bool is_token = strcmp(field, "session_token") == 0;
  if (!is_expiry && !is_token && strcmp(field, "secret_access_key") != 0) {
    return refuse(reader, error, field, "no such key");
  }
  if (key == NULL) {
    return refuse(reader, error, field, "access_key_id must stand before it");
  }
  return is_expiry ? take_expiry(reader, value, error)
                   : take_secret(reader, field, value,
                                 is_token ? &key->session_token : &key->secret, error);
}

/* Ends the group that is being read. */
static bool end_group(struct reader *reader, GError **error) {
  if (reader->principal == NULL) {
    return true;
  }
  if (reader->key == NULL) {
    return refuse(reader, error, NULL, "the principal ends here without an access_key_id");
  }
  if (reader->key->secret == NULL) {
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
  struct annals_principal *principal = g_new(struct annals_principal, 1);
  principal->name = g_steal_pointer(&name);
  principal->rules = g_ptr_array_new_with_free_func(free_rule);
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
  struct reader reader = {.credentials = credentials_new(), .path = path};
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
