#include "server/history/keyring.h"

#include <pthread.h>

struct annals_keyring {
  char *path;
  pthread_mutex_t lock;
  struct annals_credentials *credentials; /* changed and got under lock; atomic, to be compared */
};

struct annals_keyring *annals_keyring_new(const char *path, GError **error) {
  struct annals_credentials *credentials = annals_credentials_load(path, error);
  if (credentials == NULL) {
    return NULL;
  }
  struct annals_keyring *keyring = g_new0(struct annals_keyring, 1);
  keyring->path = g_strdup(path);
  keyring->credentials = credentials;
  pthread_mutex_init(&keyring->lock, NULL);
  return keyring;
}

void annals_keyring_free(struct annals_keyring *keyring) {
  if (keyring == NULL) {
    return;
  }
  annals_credentials_unref(keyring->credentials);
  pthread_mutex_destroy(&keyring->lock);
  g_free(keyring->path);
  g_free(keyring);
}

bool annals_keyring_reload(struct annals_keyring *keyring, GError **error) {
  struct annals_credentials *fresh = annals_credentials_load(keyring->path, error);
  if (fresh == NULL) {
    return false;
  }
  pthread_mutex_lock(&keyring->lock);
  struct annals_credentials *old = keyring->credentials;
  g_atomic_pointer_set(&keyring->credentials, fresh);
  pthread_mutex_unlock(&keyring->lock);
  annals_credentials_unref(old);
  return true;
}

struct annals_credentials *annals_keyring_get(struct annals_keyring *keyring) {
  pthread_mutex_lock(&keyring->lock);
  struct annals_credentials *credentials = annals_credentials_ref(keyring->credentials);
  pthread_mutex_unlock(&keyring->lock);
  return credentials;
}

bool annals_keyring_is_current(struct annals_keyring *keyring,
                               const struct annals_credentials *credentials) {
  return g_atomic_pointer_get(&keyring->credentials) == credentials;
}
