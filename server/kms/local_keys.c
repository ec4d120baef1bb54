#include "server/kms/local_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/kms/locked_pool.h"

enum { FILE_BYTES_MAX = 64 << 10 };

struct annals_local_keys {
  struct annals_locked_pool *pool;
  size_t count;
  struct annals_local_key keys[ANNALS_LOCAL_KEYS_MAX];
};

/* --- the file --- */

static bool fail_with_errno(const char *path, GError **error) {
  int why = errno;
  g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(why), "%s: %s", path,
              g_strerror(why));
  return false;
}

/* Asked of the open file, so that the answer is about what is read. */
static bool check_mode(int file, const char *path, GError **error) {
  struct stat status;
  if (fstat(file, &status) != 0) {
    return fail_with_errno(path, error);
  }
  if (!S_ISREG(status.st_mode)) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: not a regular file", path);
    return false;
  }
  if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PERM,
                "%s: others can read or change it: its mode must be 600, 640 or less", path);
    return false;
  }
  return true;
}

/* Reads into text, which has room for FILE_BYTES_MAX and a NUL. */
static bool read_all(int file, const char *path, char *text, GError **error) {
  size_t size = 0;
  ssize_t got;
  do {
    got = read(file, text + size, FILE_BYTES_MAX + 1 - size);
    size += got > 0 ? (size_t)got : 0;
  } while ((got > 0 && size <= FILE_BYTES_MAX) || (got < 0 && errno == EINTR));
  if (got < 0) {
    return fail_with_errno(path, error);
  }
  if (size > FILE_BYTES_MAX) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: more than %d KiB", path,
                FILE_BYTES_MAX >> 10);
    return false;
  }
  text[size] = '\0';
  if (strlen(text) != size) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: not text", path);
    return false;
  }
  return true;
}

/* --- lines --- */

static bool is_name(const char *text, size_t size) {
  return size > 0 && size <= ANNALS_LOCAL_KEY_NAME_BYTES_MAX &&
         strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.") >= size;
}

static bool read_hex(const char *text, uint8_t *bytes) {
  for (size_t i = 0; i < ANNALS_LOCAL_KEY_BYTES; i++) {
    int high = g_ascii_xdigit_value(text[2 * i]);
    int low = high < 0 ? -1 : g_ascii_xdigit_value(text[2 * i + 1]);
    if (low < 0) {
      return false;
    }
    bytes[i] = (uint8_t)(high << 4 | low);
  }
  return text[2 * ANNALS_LOCAL_KEY_BYTES] == '\0';
}

static void compute_print(struct annals_local_key *key) {
  static const char PURPOSE[] = "annals: which key this is";
  uint8_t mac[EVP_MAX_MD_SIZE];
  const uint8_t *done = HMAC(EVP_sha256(), key->bytes, ANNALS_LOCAL_KEY_BYTES,
                             (const uint8_t *)PURPOSE, sizeof PURPOSE - 1, mac, NULL);
  g_assert(done != NULL);
  memcpy(key->print, mac, ANNALS_LOCAL_KEY_PRINT_BYTES);
}

G_GNUC_PRINTF(4, 5)
static bool refuse(const char *path, size_t line, GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *problem = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%zu: %s", path, line, problem);
  return false;
}

static bool take_line(struct annals_local_keys *keys, const char *path, size_t number,
                      const char *line, GError **error) {
  if (keys->count == ANNALS_LOCAL_KEYS_MAX) {
    return refuse(path, number, error, "there are more than %d keys", ANNALS_LOCAL_KEYS_MAX);
  }
  struct annals_local_key *key = &keys->keys[keys->count];
  size_t name_bytes = strcspn(line, " \t");
  if (!is_name(line, name_bytes)) {
    return refuse(path, number, error, "a name of 1 to %d letters, digits, and _ - . is expected",
                  ANNALS_LOCAL_KEY_NAME_BYTES_MAX);
  }
  memcpy(key->name, line, name_bytes);
  key->name[name_bytes] = '\0';
  const char *digits = line + name_bytes;
  digits += strspn(digits, " \t");
  key->bytes = annals_locked_pool_take(keys->pool);
  keys->count++;
  if (!read_hex(digits, key->bytes)) {
    return refuse(path, number, error, "%d hex digits are expected behind the name",
                  2 * ANNALS_LOCAL_KEY_BYTES);
  }
  compute_print(key);
  if (annals_local_keys_find(keys, key->name, key->print) != key) {
    return refuse(path, number, error, "this key of '%s' stands in the file twice", key->name);
  }
  return true;
}

static bool parse(struct annals_local_keys *keys, const char *path, char *text, GError **error) {
  size_t number = 0;
  for (char *line = text; line != NULL;) {
    char *end = strchr(line, '\n');
    if (end != NULL) {
      *end++ = '\0';
    }
    number++;
    line = g_strstrip(line);
    if (*line != '\0' && *line != '#' && !take_line(keys, path, number, line, error)) {
      return false;
    }
    line = end;
  }
  if (keys->count == 0) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: there are no keys", path);
    return false;
  }
  return true;
}

struct annals_local_keys *annals_local_keys_load(const char *path, GError **error) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    fail_with_errno(path, error);
    return NULL;
  }
  struct annals_local_keys *keys = g_new0(struct annals_local_keys, 1);
  char *text = g_malloc(FILE_BYTES_MAX + 2);
  keys->pool = annals_locked_pool_new(ANNALS_LOCAL_KEY_BYTES, ANNALS_LOCAL_KEYS_MAX, error);
  if (keys->pool == NULL || !check_mode(file, path, error) || !read_all(file, path, text, error) ||
      !parse(keys, path, text, error)) {
    g_clear_pointer(&keys, annals_local_keys_free);
  }
  OPENSSL_cleanse(text, FILE_BYTES_MAX + 2);
  g_free(text);
  close(file);
  return keys;
}

void annals_local_keys_free(struct annals_local_keys *keys) {
  if (keys != NULL) {
    annals_locked_pool_free(keys->pool);
    g_free(keys);
  }
}

const struct annals_local_key *annals_local_keys_find(const struct annals_local_keys *keys,
                                                      const char *name, const uint8_t *print) {
  for (size_t i = 0; i < keys->count; i++) {
    const struct annals_local_key *key = &keys->keys[i];
    if (strcmp(key->name, name) == 0 &&
        (print == NULL || memcmp(key->print, print, sizeof key->print) == 0)) {
      return key;
    }
  }
  return NULL;
}
