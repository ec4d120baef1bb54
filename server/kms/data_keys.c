#include "server/kms/data_keys.h"

#include <pthread.h>
#include <time.h>

#include "server/kms/data_key_table.h"

enum { KEYS_MAX_DEFAULT = 1024 };

struct annals_data_keys {
  struct annals_data_keys_options options;
  pthread_mutex_t lock;
  struct annals_data_key_table table; /* under lock */
  int64_t next_us;                    /* under lock: when the thread looks again */
  bool is_stopping;                   /* under lock */
  pthread_cond_t changed;             /* next_us, is_stopping */
  pthread_t thread;
  bool has_thread;
};

/*
 * A call of the provider, for all that wait for it. The one who calls and the one who is called
 * back each have a part in it, in whatever order they are through; both under lock.
 */
struct annals_key_flight {
  struct annals_key_call call;
  struct annals_data_keys *keys;
  struct annals_key_entry *entry; /* which the flight keeps in the table */
  bool is_forgotten;              /* the key is of no use to others than who wait */
  int64_t asked_us;
  int64_t reuse_us;
  GPtrArray *waiting; /* requests; the first is the caller's */
  pthread_t caller;
  bool is_calling; /* the caller is inside of the provider */
  bool is_over;
  bool is_answered_inside; /* and the caller's own request was answered there */
};

static int64_t now_us(const struct annals_data_keys *keys) {
  return keys->options.now_us != NULL ? keys->options.now_us(keys->options.now_context)
                                      : g_get_monotonic_time();
}

/* --- the thread that wipes --- */

static void wait_for_change(struct annals_data_keys *keys, int64_t wait_us) {
  if (wait_us == INT64_MAX) {
    pthread_cond_wait(&keys->changed, &keys->lock);
    return;
  }
  int64_t until_us = g_get_monotonic_time() + wait_us;
  struct timespec until = {
      .tv_sec = until_us / G_USEC_PER_SEC,
      .tv_nsec = until_us % G_USEC_PER_SEC * 1000,
  };
  pthread_cond_timedwait(&keys->changed, &keys->lock, &until);
}

static void *run(void *context) {
  struct annals_data_keys *keys = context;
  pthread_mutex_lock(&keys->lock);
  while (!keys->is_stopping) {
    int64_t now = now_us(keys);
    keys->next_us = annals_data_key_table_sweep(&keys->table, now);
    wait_for_change(keys, keys->next_us == INT64_MAX ? INT64_MAX : keys->next_us - now);
  }
  pthread_mutex_unlock(&keys->lock);
  return NULL;
}

/* Under lock. */
static void wake_by(struct annals_data_keys *keys, int64_t when_us) {
  if (when_us < keys->next_us) {
    keys->next_us = when_us;
    pthread_cond_signal(&keys->changed);
  }
}

/* --- life --- */

static void init_locks(struct annals_data_keys *keys) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* as g_get_monotonic_time */
  pthread_cond_init(&keys->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&keys->lock, NULL);
}

struct annals_data_keys *annals_data_keys_new(const struct annals_data_keys_options *options,
                                              GError **error) {
  struct annals_data_keys *keys = g_new0(struct annals_data_keys, 1);
  keys->options = *options;
  init_locks(keys);
  size_t keys_max = options->keys_max > 0 ? options->keys_max : KEYS_MAX_DEFAULT;
  if (!annals_data_key_table_init(&keys->table, keys_max, error)) {
    annals_data_keys_free(keys);
    return NULL;
  }
  if (pthread_create(&keys->thread, NULL, run, keys) != 0) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN, "no thread can be started to wipe keys");
    annals_data_keys_free(keys);
    return NULL;
  }
  keys->has_thread = true;
  return keys;
}

void annals_data_keys_free(struct annals_data_keys *keys) {
  if (keys == NULL) {
    return;
  }
  if (keys->has_thread) {
    pthread_mutex_lock(&keys->lock);
    keys->is_stopping = true;
    pthread_cond_signal(&keys->changed);
    pthread_mutex_unlock(&keys->lock);
    pthread_join(keys->thread, NULL);
  }
  annals_data_key_table_clear(&keys->table);
  pthread_cond_destroy(&keys->changed);
  pthread_mutex_destroy(&keys->lock);
  g_free(keys);
}

struct annals_key_provider *annals_data_keys_provider(const struct annals_data_keys *keys) {
  return keys->options.provider;
}

void annals_data_keys_end(struct annals_data_keys *keys) {
  struct annals_key_provider *provider = keys->options.provider;
  if (provider->ops->end != NULL) {
    provider->ops->end(provider);
  }
}

/* --- answers --- */

static void fail(struct annals_data_key_request *request, enum annals_key_status status,
                 const char *key_state, const char *message) {
  request->status = status;
  request->key_state = key_state;
  request->message = g_strdup(message);
  request->key = NULL;
}

/* Under lock. */
static void give(struct annals_data_key_request *request, struct annals_data_key *key) {
  request->status = ANNALS_KEY_OK;
  request->key = key;
  key->holder_count++;
}

/* --- flights --- */

/* Under lock; both have had their part. */
static void free_flight(struct annals_key_flight *flight) {
  g_clear_pointer(&flight->call.wrapped, g_bytes_unref);
  g_free(flight->call.message);
  g_free(flight->call.key_arn);
  g_free(flight);
}

/* Under lock. Keeps the failure, or removes the entry. */
static void keep_failure(struct annals_key_flight *flight) {
  struct annals_data_keys *keys = flight->keys;
  struct annals_key_entry *entry = flight->entry;
  const struct annals_key_call *call = &flight->call;
  if (keys->options.failure_us == 0 ||
      g_hash_table_size(keys->table.entries) > keys->table.entries_max) {
    annals_data_key_table_remove(&keys->table, entry);
    return;
  }
  entry->flight = NULL;
  entry->status = call->status;
  entry->key_state = call->key_state;
  entry->message = g_strdup(call->message);
  entry->failed_until_us = now_us(keys) + keys->options.failure_us;
  wake_by(keys, entry->failed_until_us);
}

/* Under lock. A key that came after its time, or was forgotten meanwhile, serves those who wait
 * for it and nobody else. */
static void keep_key(struct annals_key_flight *flight) {
  struct annals_data_keys *keys = flight->keys;
  struct annals_key_call *call = &flight->call;
  struct annals_data_key *key = g_new0(struct annals_data_key, 1);
  const GBytes *given = flight->entry->identity.wrapped;
  *key = (struct annals_data_key){
      .keys = keys,
      .bytes = g_steal_pointer(&call->plain),
      .wrapped = given != NULL ? g_bytes_ref((GBytes *)given) : g_steal_pointer(&call->wrapped),
      .arn = g_steal_pointer(&call->key_arn),
      .asked_us = flight->asked_us,
      .until_us = flight->asked_us + flight->reuse_us,
  };
  flight->entry->flight = NULL;
  annals_data_key_table_set(&keys->table, flight->entry, key);
  for (size_t i = 0; i < flight->waiting->len; i++) {
    give(flight->waiting->pdata[i], key);
  }
  if (flight->is_forgotten || key->until_us <= now_us(keys)) {
    annals_data_key_table_drop(&keys->table, key);
  } else {
    wake_by(keys, key->until_us);
  }
}

/* Under lock. */
static void land(struct annals_key_flight *flight) {
  const struct annals_key_call *call = &flight->call;
  if (call->status == ANNALS_KEY_OK) {
    keep_key(flight);
    return;
  }
  for (size_t i = 0; i < flight->waiting->len; i++) {
    fail(flight->waiting->pdata[i], call->status, call->key_state, call->message);
  }
  annals_locked_pool_give(flight->keys->table.pool, flight->call.plain);
  keep_failure(flight);
}

/* The keys may be freed as soon as the last of those who wait has been told. */
static void on_provider_done(struct annals_key_call *call) {
  struct annals_key_flight *flight = call->user;
  struct annals_data_keys *keys = flight->keys;
  pthread_mutex_lock(&keys->lock);
  bool is_inside = flight->is_calling && pthread_equal(flight->caller, pthread_self());
  land(flight);
  GPtrArray *waiting = g_steal_pointer(&flight->waiting);
  flight->is_over = true;
  flight->is_answered_inside = is_inside;
  if (!flight->is_calling) {
    free_flight(flight);
  }
  pthread_mutex_unlock(&keys->lock);
  for (size_t i = is_inside ? 1 : 0; i < waiting->len; i++) {
    struct annals_data_key_request *request = waiting->pdata[i];
    request->on_done(request);
  }
  g_ptr_array_unref(waiting);
}

/* Under lock. */
static struct annals_key_flight *begin_flight(struct annals_data_keys *keys,
                                              struct annals_key_entry *entry,
                                              struct annals_data_key_request *request,
                                              uint8_t *slot) {
  struct annals_key_flight *flight = g_new0(struct annals_key_flight, 1);
  *flight = (struct annals_key_flight){
      .call =
          {
              .key_id = request->key_id,
              .context_name = entry->identity.context_name,
              .context_value = entry->identity.context_value,
              .plain = slot,
              .on_done = on_provider_done,
              .user = flight,
          },
      .keys = keys,
      .entry = entry,
      .asked_us = now_us(keys),
      .reuse_us = request->reuse_us,
      .waiting = g_ptr_array_new(),
      .caller = pthread_self(),
      .is_calling = true,
  };
  request->was_asked = true;
  g_ptr_array_add(flight->waiting, request);
  entry->flight = flight;
  return flight;
}

/* Returns whether the request was answered at once. */
static bool fly(struct annals_data_keys *keys, struct annals_key_flight *flight, GBytes *wrapped) {
  struct annals_key_provider *provider = keys->options.provider;
  if (wrapped != NULL) {
    provider->ops->unwrap(provider, &flight->call, wrapped);
  } else {
    provider->ops->generate(provider, &flight->call);
  }
  pthread_mutex_lock(&keys->lock);
  flight->is_calling = false;
  bool is_answered = flight->is_answered_inside;
  if (flight->is_over) {
    free_flight(flight);
  }
  pthread_mutex_unlock(&keys->lock);
  return is_answered;
}

/* --- requests --- */

/* Under lock. Answers from what the entry holds, or waits for it; false: it holds nothing any more,
 * and is gone. */
static bool use_entry(struct annals_data_keys *keys, struct annals_key_entry *entry,
                      struct annals_data_key_request *request, bool *ret_answered) {
  const int64_t now = now_us(keys);
  struct annals_data_key *key = entry->key;
  *ret_answered = entry->flight == NULL;
  if (entry->flight != NULL) {
    request->was_asked = true;
    g_ptr_array_add(entry->flight->waiting, request);
    return true;
  }
  if (key != NULL && now < MIN(key->until_us, key->asked_us + request->reuse_us)) {
    annals_data_key_table_touch(&keys->table, key);
    give(request, key);
    return true;
  }
  if (key != NULL) {
    annals_data_key_table_drop(&keys->table, key);
    return false;
  }
  if (now < entry->failed_until_us) {
    fail(request, entry->status, entry->key_state, entry->message);
    return true;
  }
  annals_data_key_table_remove(&keys->table, entry);
  return false;
}

bool annals_data_keys_request(struct annals_data_keys *keys,
                              struct annals_data_key_request *request) {
  const struct annals_key_identity identity = {
      .key_id = request->key_id,
      .context_name = request->context_name,
      .context_value = request->context_value,
      .wrapped = request->wrapped,
  };
  bool is_answered = true;
  struct annals_key_flight *flight = NULL;
  pthread_mutex_lock(&keys->lock);
  struct annals_key_entry *entry = annals_data_key_table_find(&keys->table, &identity);
  if (entry == NULL || !use_entry(keys, entry, request, &is_answered)) {
    uint8_t *slot = annals_data_key_table_take_slot(&keys->table);
    if (slot != NULL) {
      entry = annals_data_key_table_add(&keys->table, &identity);
      flight = begin_flight(keys, entry, request, slot);
    } else {
      fail(request, ANNALS_KEY_THROTTLED, NULL, "as many data keys are in use as there may be");
      is_answered = true;
    }
  }
  pthread_mutex_unlock(&keys->lock);
  return flight == NULL ? is_answered : fly(keys, flight, request->wrapped);
}

struct annals_data_key *annals_data_keys_find(struct annals_data_keys *keys,
                                              const char *context_value, int64_t number) {
  pthread_mutex_lock(&keys->lock);
  struct annals_data_key *key =
      annals_data_key_table_find_number(&keys->table, context_value, number);
  if (key != NULL && now_us(keys) < key->until_us) {
    annals_data_key_table_touch(&keys->table, key);
    key->holder_count++;
  } else {
    key = NULL;
  }
  pthread_mutex_unlock(&keys->lock);
  return key;
}

void annals_data_keys_forget(struct annals_data_keys *keys, const char *context_value) {
  pthread_mutex_lock(&keys->lock);
  annals_data_key_table_forget(&keys->table, context_value);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, keys->table.entries);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const struct annals_key_entry *entry = value;
    if (entry->flight != NULL && g_str_equal(entry->identity.context_value, context_value)) {
      entry->flight->is_forgotten = true;
    }
  }
  pthread_mutex_unlock(&keys->lock);
}

void annals_data_keys_sweep(struct annals_data_keys *keys) {
  pthread_mutex_lock(&keys->lock);
  annals_data_key_table_sweep(&keys->table, now_us(keys));
  pthread_mutex_unlock(&keys->lock);
}

size_t annals_data_keys_count(struct annals_data_keys *keys) {
  pthread_mutex_lock(&keys->lock);
  size_t count = keys->table.key_count;
  pthread_mutex_unlock(&keys->lock);
  return count;
}

/* --- a key --- */

struct annals_data_key *annals_data_key_ref(struct annals_data_key *key) {
  pthread_mutex_lock(&key->keys->lock);
  key->holder_count++;
  pthread_mutex_unlock(&key->keys->lock);
  return key;
}

void annals_data_key_unref(struct annals_data_key *key) {
  if (key == NULL) {
    return;
  }
  struct annals_data_keys *keys = key->keys;
  pthread_mutex_lock(&keys->lock);
  key->holder_count--;
  annals_data_key_table_let_go(&keys->table, key);
  pthread_mutex_unlock(&keys->lock);
}

const uint8_t *annals_data_key_bytes(const struct annals_data_key *key) {
  return key->bytes;
}

int64_t annals_data_key_left_us(const struct annals_data_key *key) {
  return MAX(key->until_us - now_us(key->keys), 0);
}

void annals_data_key_set_number(struct annals_data_key *key, int64_t number) {
  g_assert(number > 0);
  pthread_mutex_lock(&key->keys->lock);
  annals_data_key_table_set_number(&key->keys->table, key, number);
  pthread_mutex_unlock(&key->keys->lock);
}

GBytes *annals_data_key_wrapped(const struct annals_data_key *key) {
  return key->wrapped;
}

const char *annals_data_key_arn(const struct annals_data_key *key) {
  return key->arn;
}
