#include "server/history/token_key.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { KEY_BYTES = 32, KEYS_MAX = 16 };

/* The keys of a file. */
struct keys {
  size_t count;
  uint8_t keys[KEYS_MAX][KEY_BYTES];
};

struct current {
  pthread_rwlock_t lock;
  struct keys keys; /* under lock */
};

struct annals_token_key {
  char *path;
  struct current *current;
};

static bool read_hex(const char *text, uint8_t ret_key[KEY_BYTES]) {
  if (strlen(text) != (size_t)2 * KEY_BYTES) {
    return false;
  }
  for (size_t i = 0; i < KEY_BYTES; i++) {
    int high = g_ascii_xdigit_value(text[2 * i]);
    int low = g_ascii_xdigit_value(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return false;
    }
    ret_key[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static bool parse(const char *path, char *text, struct keys *ret_keys, GError **error) {
  struct keys keys = {0};
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    if (*g_strstrip(*line) == '\0') {
      continue;
    }
    if (keys.count == KEYS_MAX || !read_hex(*line, keys.keys[keys.count])) {
      keys.count = 0;
      break;
    }
    keys.count++;
  }
  if (keys.count == 0) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s: 1 to %d lines of %d hex digits are expected", path, KEYS_MAX, 2 * KEY_BYTES);
    return false;
  }
  *ret_keys = keys;
  OPENSSL_cleanse(&keys, sizeof keys);
  return true;
}

static bool load(const char *path, struct keys *ret_keys, GError **error) {
  g_autofree char *text = NULL;
  gsize size;
  if (!g_file_get_contents(path, &text, &size, error)) {
    return false;
  }
  bool ok = parse(path, text, ret_keys, error);
  OPENSSL_cleanse(text, size);
  return ok;
}

struct annals_token_key *annals_token_key_load(const char *path, GError **error) {
  struct keys keys;
  if (!load(path, &keys, error)) {
    return NULL;
  }
  struct annals_token_key *key = g_new(struct annals_token_key, 1);
  key->path = g_strdup(path);
  key->current = g_new(struct current, 1);
  key->current->keys = keys;
  pthread_rwlock_init(&key->current->lock, NULL);
  OPENSSL_cleanse(&keys, sizeof keys);
  return key;
}

bool annals_token_key_reload(struct annals_token_key *key, GError **error) {
  struct keys keys;
  if (!load(key->path, &keys, error)) {
    return false;
  }
  pthread_rwlock_wrlock(&key->current->lock);
  key->current->keys = keys;
  pthread_rwlock_unlock(&key->current->lock);
  OPENSSL_cleanse(&keys, sizeof keys);
  return true;
}

/* The key is durable before the first token leaves: g_file_set_contents_full syncs and renames. */
static bool create(const char *path, GError **error) {
  uint8_t bytes[KEY_BYTES];
  char text[2 * KEY_BYTES + 2];
  if (RAND_bytes(bytes, sizeof bytes) != 1) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: no random bytes to be had", path);
    return false;
  }
  for (size_t i = 0; i < KEY_BYTES; i++) {
    g_snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  }
  text[2 * KEY_BYTES] = '\n';
  bool ok = g_file_set_contents_full(path, text, sizeof text - 1,
                                     G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                     0600, error);
  OPENSSL_cleanse(bytes, sizeof bytes);
  OPENSSL_cleanse(text, sizeof text);
  return ok;
}

struct annals_token_key *annals_token_key_load_or_create(const char *path, GError **error) {
  if (!g_file_test(path, G_FILE_TEST_EXISTS) && !create(path, error)) {
    return NULL;
  }
  return annals_token_key_load(path, error);
}

void annals_token_key_free(struct annals_token_key *key) {
  if (key != NULL) {
    pthread_rwlock_destroy(&key->current->lock);
    OPENSSL_cleanse(key->current, sizeof *key->current);
    g_free(key->current);
    g_free(key->path);
    g_free(key);
  }
}

static void compute(const uint8_t key[KEY_BYTES], const uint8_t *bytes, size_t size,
                    uint8_t ret_mac[ANNALS_TOKEN_MAC_BYTES]) {
  unsigned mac_size = ANNALS_TOKEN_MAC_BYTES;
  const uint8_t *mac = HMAC(EVP_sha256(), key, KEY_BYTES, bytes, size, ret_mac, &mac_size);
  g_assert(mac != NULL && mac_size == ANNALS_TOKEN_MAC_BYTES);
}

void annals_token_key_sign(const struct annals_token_key *key, const uint8_t *bytes, size_t size,
                           uint8_t ret_mac[ANNALS_TOKEN_MAC_BYTES]) {
  pthread_rwlock_rdlock(&key->current->lock);
  compute(key->current->keys.keys[0], bytes, size, ret_mac);
  pthread_rwlock_unlock(&key->current->lock);
}

bool annals_token_key_verify(const struct annals_token_key *key, const uint8_t *bytes, size_t size,
                             const uint8_t mac[ANNALS_TOKEN_MAC_BYTES]) {
  bool found = false;
  pthread_rwlock_rdlock(&key->current->lock);
  const struct keys *keys = &key->current->keys;
  for (size_t i = 0; i < keys->count && !found; i++) {
    uint8_t expected[ANNALS_TOKEN_MAC_BYTES];
    compute(keys->keys[i], bytes, size, expected);
    found = CRYPTO_memcmp(expected, mac, sizeof expected) == 0;
  }
  pthread_rwlock_unlock(&key->current->lock);
  return found;
}
