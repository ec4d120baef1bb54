#include "server/history/decryptor.h"

#include "server/history/batch.h"

void annals_decryptor_begin(struct annals_decryptor *decryptor, struct annals_history *history,
                            const char *execution_arn) {
  decryptor->history = history;
  decryptor->fetch.execution_arn = execution_arn;
}

static void begin_event(struct annals_decryptor *decryptor) {
  if (decryptor->plain.max == 0) {
    annals_buffer_init(&decryptor->plain, ANNALS_BATCH_FRAMES_BYTES_MAX);
  }
  annals_buffer_reset(&decryptor->plain);
}

/* Takes what was made of an event. */
static enum annals_decrypted end_event(const struct annals_decryptor *decryptor, bool ok,
                                       struct annals_frame *ret_plain) {
  const struct annals_buffer *plain = &decryptor->plain;
  size_t offset = 0;
  if (plain->failed) {
    return ANNALS_DECRYPTED_NO_MEMORY;
  }
  ok = ok && annals_frame_next(plain->data, plain->len, &offset, ret_plain);
  return ok ? ANNALS_DECRYPTED : ANNALS_DECRYPTED_DAMAGED;
}

static struct annals_event_cipher *add_cipher(struct annals_decryptor *decryptor, int64_t data_key,
                                              const struct annals_data_key *key) {
  struct annals_event_cipher *cipher = annals_event_cipher_new(
      annals_history_options(decryptor->history)->schema, decryptor->fetch.execution_arn);
  annals_event_cipher_set_key(cipher, data_key, annals_data_key_bytes(key));
  decryptor->ciphers[decryptor->cipher_count++] = cipher;
  return cipher;
}

/* Takes a key that was read with before, and is in memory still: its record is not asked for. */
static struct annals_event_cipher *find_known(struct annals_decryptor *decryptor,
                                              int64_t data_key) {
  struct annals_data_keys *keys = annals_history_options(decryptor->history)->data_keys;
  if (keys == NULL || decryptor->doubted || annals_decryptor_is_full(decryptor)) {
    return NULL;
  }
  struct annals_data_key *key =
      annals_data_keys_find(keys, decryptor->fetch.execution_arn, data_key);
  struct annals_event_cipher *cipher = key != NULL ? add_cipher(decryptor, data_key, key) : NULL;
  annals_data_key_unref(key);
  return cipher;
}

static struct annals_event_cipher *find(const struct annals_decryptor *decryptor,
                                        int64_t data_key) {
  for (size_t i = decryptor->cipher_count; i > 0; i--) {
    if (annals_event_cipher_key(decryptor->ciphers[i - 1]) == data_key) {
      return decryptor->ciphers[i - 1];
    }
  }
  return NULL;
}

static void drop_ciphers(struct annals_decryptor *decryptor) {
  while (decryptor->cipher_count > 0) {
    annals_event_cipher_free(decryptor->ciphers[--decryptor->cipher_count]);
  }
}

enum annals_decrypted annals_decryptor_read(struct annals_decryptor *decryptor, int64_t event_id,
                                            const struct annals_frame *frame,
                                            struct annals_frame *ret_plain) {
  struct annals_event_cipher *cipher = find(decryptor, frame->data_key);
  decryptor->wanted = frame->data_key;
  if (cipher == NULL) {
    cipher = find_known(decryptor, frame->data_key);
  }
  if (cipher == NULL) {
    return ANNALS_DECRYPTED_NEEDS_KEY;
  }
  begin_event(decryptor);
  bool ok = annals_event_cipher_decrypt(cipher, event_id, frame, &decryptor->plain);
  enum annals_decrypted decrypted = end_event(decryptor, ok, ret_plain);
  if (decrypted == ANNALS_DECRYPTED_DAMAGED && !decryptor->doubted) {
    decryptor->doubted = true;
    drop_ciphers(decryptor);
    return ANNALS_DECRYPTED_NEEDS_KEY;
  }
  decryptor->wanted = 0;
  return decrypted;
}

enum annals_decrypted annals_decryptor_redact(struct annals_decryptor *decryptor,
                                              const struct annals_frame *frame,
                                              struct annals_frame *ret_plain) {
  const struct annals_schema *schema = annals_history_options(decryptor->history)->schema;
  begin_event(decryptor);
  bool ok = annals_event_cipher_redact(schema, frame, &decryptor->plain);
  return end_event(decryptor, ok, ret_plain);
}

int64_t annals_decryptor_left_us(const struct annals_decryptor *decryptor, int64_t data_key) {
  struct annals_data_keys *keys = annals_history_options(decryptor->history)->data_keys;
  if (keys == NULL || decryptor->doubted) {
    return 0;
  }
  struct annals_data_key *key =
      annals_data_keys_find(keys, decryptor->fetch.execution_arn, data_key);
  int64_t left_us = key != NULL ? annals_data_key_left_us(key) : 0;
  annals_data_key_unref(key);
  return left_us;
}

bool annals_decryptor_needs_key(const struct annals_decryptor *decryptor) {
  return decryptor->wanted > 0;
}

bool annals_decryptor_is_fetching(const struct annals_decryptor *decryptor) {
  return decryptor->fetching;
}

bool annals_decryptor_is_full(const struct annals_decryptor *decryptor) {
  return decryptor->cipher_count == ANNALS_DECRYPTOR_KEYS_MAX;
}

bool annals_decryptor_has_all(const struct annals_decryptor *decryptor) {
  return !decryptor->evicted;
}

static void on_fetched(struct annals_key_fetch *fetch) {
  struct annals_decryptor *decryptor = fetch->owner;
  decryptor->on_done(decryptor);
}

enum annals_progress annals_decryptor_fetch(struct annals_decryptor *decryptor) {
  decryptor->fetch = (struct annals_key_fetch){
      .execution_arn = decryptor->fetch.execution_arn,
      .ordinal = decryptor->wanted,
      .on_done = on_fetched,
      .owner = decryptor,
  };
  decryptor->fetching = true;
  return annals_key_fetch_run(decryptor->history, &decryptor->fetch);
}

GError *annals_decryptor_take_key(struct annals_decryptor *decryptor) {
  struct annals_key_fetch *fetch = &decryptor->fetch;
  GError *error = g_steal_pointer(&fetch->error);
  decryptor->fetching = false;
  if (error == NULL) {
    if (annals_decryptor_is_full(decryptor)) {
      drop_ciphers(decryptor);
      decryptor->evicted = true;
    }
    add_cipher(decryptor, fetch->ordinal, fetch->key);
  }
  decryptor->wanted = 0;
  annals_key_fetch_clear(fetch);
  return error;
}

void annals_decryptor_clear(struct annals_decryptor *decryptor) {
  annals_key_fetch_clear(&decryptor->fetch);
  drop_ciphers(decryptor);
  decryptor->wanted = 0;
  decryptor->evicted = false;
  decryptor->doubted = false;
  annals_buffer_clear(&decryptor->plain);
}
