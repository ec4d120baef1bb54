/*
 * The data keys in use: asked for once, held in locked memory for their reuse period, then wiped.
 *
 * Floor 1, between the domain and a key provider.
 *
 * A key is good for the reuse period from the moment it was asked for, and no longer: then the
 * provider is asked again, so that a key that was disabled meanwhile takes effect. It is wiped when
 * the period is over, whether or not anybody asks, but not before those who hold it let go: holders
 * are to be short-lived, such as the making of one page. Requests for a key that is being asked for
 * wait for that answer: the provider is asked once. There are keys_max keys at most: the one that
 * was used longest ago makes room, and where all are held, requests fail with THROTTLED.
 *
 * Failures go to all that wait, and to those who ask for the same key within failure_us: a disabled
 * key does not become a call of the service for each page.
 *
 * Memory that holds keys is locked (never swapped), left out of core dumps and not inherited by
 * children.
 *
 * Threads: any. One lock, a leaf; no callback is called under it. One thread of its own wipes.
 */
#ifndef ANNALS_SERVER_KMS_DATA_KEYS_H_
#define ANNALS_SERVER_KMS_DATA_KEYS_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/kms/key_provider.h"

G_BEGIN_DECLS

enum {
  /* Source: kmsDataKeyReusePeriodSeconds in AWS's model of Step Functions. */
  ANNALS_REUSE_SECONDS_MIN = 60,
  ANNALS_REUSE_SECONDS_MAX = 900,
};

struct annals_data_keys;
struct annals_data_key;

struct annals_data_keys_options {
  struct annals_key_provider *provider; /* must outlive the keys */
  size_t keys_max;                      /* 0: 1024 */
  int64_t failure_us;                   /* 0: failures are not remembered */
  int64_t (*now_us)(void *context);     /* NULL: g_get_monotonic_time */
  void *now_context;
};

/*
 * Takes locked memory and starts the thread that wipes.
 *
 * Errors: G_FILE_ERROR: memory cannot be locked, in one line that says what to do about it.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_data_keys *annals_data_keys_new(const struct annals_data_keys_options *options,
                                              GError **error);

/* Wipes all keys. No request may be under way, and no key held. NULL is fine. */
void annals_data_keys_free(struct annals_data_keys *keys);

/* Gives the provider, for what is not kept: rewrapping. */
struct annals_key_provider *annals_data_keys_provider(const struct annals_data_keys *keys);

/* Has requests that wait for the provider, and those that would, fail with UNAVAILABLE. Keys that
 * are in memory are given on. Threads: any. */
void annals_data_keys_end(struct annals_data_keys *keys);

/*
 * A request for a data key. The caller fills the first part, zeroes the second, and keeps the
 * request and all it points to alive until it is done.
 */
struct annals_data_key_request {
  const char *key_id; /* as in struct annals_key_call; to open it may be NULL */
  const char *context_name;
  const char *context_value;
  int64_t reuse_us; /* of ANNALS_REUSE_SECONDS_MIN to _MAX */
  /* NULL: to seal: the key that was made for the same key_id and context within the reuse period,
   * or a new one. Else to open (or to go on sealing with it): the key whose wrapped form this is.
   */
  GBytes *wrapped;
  void (*on_done)(struct annals_data_key_request *request);
  void *user;

  enum annals_key_status status;
  const char *key_state;       /* INVALID_STATE: as in struct annals_key_call */
  char *message;               /* unless OK: one sentence, or NULL; g_free */
  struct annals_data_key *key; /* if OK; annals_data_key_unref */
  bool was_asked;              /* the provider was: the key was not in memory */
};

/*
 * Asks for a data key. Never blocks.
 *
 * Returns true: the result is in the request, and on_done is not called. False: on_done is called
 *   once, on a thread of the provider or of another caller, possibly before this has returned; it
 *   must not block.
 * Cost: that of a look-up when the key is in memory.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_data_keys_request(struct annals_data_keys *keys,
                              struct annals_data_key_request *request);

/*
 * Finds a key that is in memory by the number that it was given, among those of a context.
 *
 * Returns NULL where there is none whose period goes on. Memory: annals_data_key_unref.
 * Cost: a look-up.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_data_key *annals_data_keys_find(struct annals_data_keys *keys,
                                              const char *context_value, int64_t number);

/* Forgets all keys of a context at once, as when its histories are shredded: those that are held
 * are wiped when they are let go. */
void annals_data_keys_forget(struct annals_data_keys *keys, const char *context_value);

/* Wipes what is over. The thread does it in time; tests with a clock of their own call it. */
void annals_data_keys_sweep(struct annals_data_keys *keys);

/* How many keys are in memory. */
size_t annals_data_keys_count(struct annals_data_keys *keys);

/* --- a key --- */

struct annals_data_key *annals_data_key_ref(struct annals_data_key *key);
/* NULL is fine. */
void annals_data_key_unref(struct annals_data_key *key);

/* Gives the ANNALS_DATA_KEY_BYTES of the key, in locked memory, while it is held. No copy of them
 * may outlive the hold. */
const uint8_t *annals_data_key_bytes(const struct annals_data_key *key);

/* Tells how long its period goes on, in microseconds; 0: it is over. */
int64_t annals_data_key_left_us(const struct annals_data_key *key);

/* Gives it a number, > 0, to find it by, as no other of its context has then. */
void annals_data_key_set_number(struct annals_data_key *key, int64_t number);

/* Gives its wrapped form, the key's. */
GBytes *annals_data_key_wrapped(const struct annals_data_key *key);

/* Gives the name in full of the key that wrapped it. */
const char *annals_data_key_arn(const struct annals_data_key *key);

G_END_DECLS

#endif
