#include "server/kms/local_provider.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "server/kms/local_keys.h"

enum {
  NONCE_BYTES = 12,
  TAG_BYTES = 16,
  SEALED_BYTES = NONCE_BYTES + ANNALS_DATA_KEY_BYTES + TAG_BYTES,
  MAGIC_BYTES = 4,
  HEAD_BYTES_MAX = MAGIC_BYTES + 1 + ANNALS_LOCAL_KEY_NAME_BYTES_MAX + ANNALS_LOCAL_KEY_PRINT_BYTES,
};

static const char MAGIC[] = "AnK1";

struct local_provider {
  struct annals_key_provider base;
  char *path;
  pthread_rwlock_t lock;
  struct annals_local_keys *keys; /* under lock */
};

/* A wrapped form, taken apart: views. */
struct wrapped {
  char name[ANNALS_LOCAL_KEY_NAME_BYTES_MAX + 1];
  const uint8_t *head;
  size_t head_bytes;
  const uint8_t *print;
  const uint8_t *sealed;
};

static bool take_apart(GBytes *bytes, struct wrapped *ret_wrapped) {
  size_t size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);
  if (size < MAGIC_BYTES + 1 || memcmp(data, MAGIC, MAGIC_BYTES) != 0) {
    return false;
  }
  size_t name_bytes = data[MAGIC_BYTES];
  size_t head_bytes = MAGIC_BYTES + 1 + name_bytes + ANNALS_LOCAL_KEY_PRINT_BYTES;
  if (name_bytes > ANNALS_LOCAL_KEY_NAME_BYTES_MAX || size != head_bytes + SEALED_BYTES) {
    return false;
  }
  *ret_wrapped = (struct wrapped){
      .head = data,
      .head_bytes = head_bytes,
      .print = data + head_bytes - ANNALS_LOCAL_KEY_PRINT_BYTES,
      .sealed = data + head_bytes,
  };
  memcpy(ret_wrapped->name, data + MAGIC_BYTES + 1, name_bytes);
  return true;
}

/* --- AES-256-GCM --- */

/* Gives a cipher that has taken all that is authenticated beside the data key. */
static EVP_CIPHER_CTX *begin_cipher(const struct annals_local_key *key, const uint8_t *nonce,
                                    const uint8_t *head, size_t head_bytes,
                                    const struct annals_key_call *call, bool seals) {
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  const char *name = call->context_name;
  const char *value = call->context_value;
  int size;
  bool ok =
      cipher != NULL &&
      EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes, nonce, seals) == 1 &&
      EVP_CipherUpdate(cipher, NULL, &size, head, (int)head_bytes) == 1 &&
      EVP_CipherUpdate(cipher, NULL, &size, (const uint8_t *)name, (int)strlen(name) + 1) == 1 &&
      EVP_CipherUpdate(cipher, NULL, &size, (const uint8_t *)value, (int)strlen(value)) == 1;
  g_assert(ok);
  return cipher;
}

static GBytes *wrap(const struct annals_local_key *key, const struct annals_key_call *call,
                    const uint8_t *plain) {
  uint8_t bytes[HEAD_BYTES_MAX + SEALED_BYTES];
  size_t name_bytes = strlen(key->name);
  uint8_t *end = bytes;
  memcpy(end, MAGIC, MAGIC_BYTES);
  end += MAGIC_BYTES;
  *end++ = (uint8_t)name_bytes;
  memcpy(end, key->name, name_bytes);
  end += name_bytes;
  memcpy(end, key->print, ANNALS_LOCAL_KEY_PRINT_BYTES);
  end += ANNALS_LOCAL_KEY_PRINT_BYTES;
  uint8_t *nonce = end;
  int done = RAND_bytes(nonce, NONCE_BYTES);
  g_assert(done == 1);
  EVP_CIPHER_CTX *cipher = begin_cipher(key, nonce, bytes, (size_t)(end - bytes), call, true);
  uint8_t *sealed = nonce + NONCE_BYTES;
  uint8_t *tag = sealed + ANNALS_DATA_KEY_BYTES;
  int size;
  bool ok = EVP_CipherUpdate(cipher, sealed, &size, plain, ANNALS_DATA_KEY_BYTES) == 1 &&
            EVP_CipherFinal_ex(cipher, tag, &size) == 1 &&
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;
  g_assert(ok);
  EVP_CIPHER_CTX_free(cipher);
  return g_bytes_new(bytes, (size_t)(tag + TAG_BYTES - bytes));
}

static bool unwrap(const struct annals_local_key *key, const struct annals_key_call *call,
                   const struct wrapped *wrapped, uint8_t *ret_plain) {
  uint8_t plain[ANNALS_DATA_KEY_BYTES];
  uint8_t tag[TAG_BYTES];
  const uint8_t *sealed = wrapped->sealed + NONCE_BYTES;
  memcpy(tag, sealed + ANNALS_DATA_KEY_BYTES, TAG_BYTES);
  EVP_CIPHER_CTX *cipher =
      begin_cipher(key, wrapped->sealed, wrapped->head, wrapped->head_bytes, call, false);
  int size;
  bool ok = EVP_CipherUpdate(cipher, plain, &size, sealed, ANNALS_DATA_KEY_BYTES) == 1 &&
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
            EVP_CipherFinal_ex(cipher, tag, &size) == 1;
  EVP_CIPHER_CTX_free(cipher);
  if (ok) {
    memcpy(ret_plain, plain, sizeof plain);
  }
  OPENSSL_cleanse(plain, sizeof plain);
  return ok;
}

/* --- calls --- */

static void fail(struct annals_key_call *call, enum annals_key_status status, const char *key_state,
                 char *message) {
  call->status = status;
  call->key_state = key_state;
  call->message = message;
}

static const char *name_of(const char *key_id) {
  return g_str_has_prefix(key_id, ANNALS_LOCAL_KEY_PREFIX)
             ? key_id + strlen(ANNALS_LOCAL_KEY_PREFIX)
             : key_id;
}

/* Finds the key that wraps. Under lock. */
static const struct annals_local_key *find_first(struct local_provider *provider,
                                                 struct annals_key_call *call) {
  const struct annals_local_key *key =
      annals_local_keys_find(provider->keys, name_of(call->key_id), NULL);
  if (key == NULL) {
    fail(call, ANNALS_KEY_INVALID_STATE, "UNAVAILABLE",
         g_strdup_printf("there is no key '%s' in the key file", call->key_id));
  }
  return key;
}

/* Unwraps into plain with the key that wrapped, which is to be that of key_id unless it is NULL.
 * Under lock. */
static bool open_wrapped(struct local_provider *provider, struct annals_key_call *call,
                         GBytes *bytes, const char *key_id, uint8_t *ret_plain) {
  struct wrapped wrapped;
  if (!take_apart(bytes, &wrapped)) {
    fail(call, ANNALS_KEY_MISMATCH, NULL, g_strdup("this is not a data key of the key file"));
    return false;
  }
  if (key_id != NULL && strcmp(name_of(key_id), wrapped.name) != 0) {
    fail(call, ANNALS_KEY_MISMATCH, NULL,
         g_strdup_printf("the data key was not wrapped by '%s'", key_id));
    return false;
  }
  const struct annals_local_key *key =
      annals_local_keys_find(provider->keys, wrapped.name, wrapped.print);
  if (key == NULL) {
    fail(call, ANNALS_KEY_INVALID_STATE, "UNAVAILABLE",
         g_strdup("the key that wrapped the data key is not in the key file"));
    return false;
  }
  if (!unwrap(key, call, &wrapped, ret_plain)) {
    fail(call, ANNALS_KEY_MISMATCH, NULL,
         g_strdup("the data key was altered, or belongs to something else"));
    return false;
  }
  return true;
}

/* Under lock. */
static void succeed(struct annals_key_call *call, const char *name, GBytes *wrapped) {
  call->status = ANNALS_KEY_OK;
  call->wrapped = wrapped;
  call->key_arn = g_strconcat(ANNALS_LOCAL_KEY_PREFIX, name, NULL);
}

static void local_generate(struct annals_key_provider *base, struct annals_key_call *call) {
  struct local_provider *provider = (struct local_provider *)base;
  pthread_rwlock_rdlock(&provider->lock);
  const struct annals_local_key *key = find_first(provider, call);
  if (key != NULL) {
    int done = RAND_priv_bytes(call->plain, ANNALS_DATA_KEY_BYTES);
    g_assert(done == 1);
    succeed(call, key->name, wrap(key, call, call->plain));
  }
  pthread_rwlock_unlock(&provider->lock);
  call->on_done(call);
}

static void local_unwrap(struct annals_key_provider *base, struct annals_key_call *call,
                         GBytes *wrapped) {
  struct local_provider *provider = (struct local_provider *)base;
  pthread_rwlock_rdlock(&provider->lock);
  if (open_wrapped(provider, call, wrapped, call->key_id, call->plain)) {
    struct wrapped parts;
    bool ok = take_apart(wrapped, &parts);
    g_assert(ok);
    succeed(call, parts.name, NULL);
  }
  pthread_rwlock_unlock(&provider->lock);
  call->on_done(call);
}

static void local_rewrap(struct annals_key_provider *base, struct annals_key_call *call,
                         GBytes *wrapped, const char *from_key_id) {
  struct local_provider *provider = (struct local_provider *)base;
  uint8_t plain[ANNALS_DATA_KEY_BYTES];
  pthread_rwlock_rdlock(&provider->lock);
  const struct annals_local_key *key = find_first(provider, call);
  if (key != NULL && open_wrapped(provider, call, wrapped, from_key_id, plain)) {
    succeed(call, key->name, wrap(key, call, plain));
    OPENSSL_cleanse(plain, sizeof plain);
  }
  pthread_rwlock_unlock(&provider->lock);
  call->on_done(call);
}

static void local_free(struct annals_key_provider *base) {
  struct local_provider *provider = (struct local_provider *)base;
  pthread_rwlock_destroy(&provider->lock);
  annals_local_keys_free(provider->keys);
  g_free(provider->path);
  g_free(provider);
}

static const struct annals_key_provider_ops OPS = {
    .generate = local_generate,
    .unwrap = local_unwrap,
    .rewrap = local_rewrap,
    .free = local_free,
};

bool annals_local_provider_wrapped(GBytes *wrapped) {
  struct wrapped parts;
  return take_apart(wrapped, &parts);
}

struct annals_key_provider *annals_local_provider_new(const char *path, GError **error) {
  struct annals_local_keys *keys = annals_local_keys_load(path, error);
  if (keys == NULL) {
    return NULL;
  }
  struct local_provider *provider = g_new0(struct local_provider, 1);
  provider->base.ops = &OPS;
  provider->path = g_strdup(path);
  provider->keys = keys;
  pthread_rwlock_init(&provider->lock, NULL);
  return &provider->base;
}

bool annals_local_provider_reload(struct annals_key_provider *base, GError **error) {
  struct local_provider *provider = (struct local_provider *)base;
  struct annals_local_keys *keys = annals_local_keys_load(provider->path, error);
  if (keys == NULL) {
    return false;
  }
  pthread_rwlock_wrlock(&provider->lock);
  struct annals_local_keys *old = provider->keys;
  provider->keys = keys;
  pthread_rwlock_unlock(&provider->lock);
  annals_local_keys_free(old);
  return true;
}
