#include "server/history/append_cipher.h"

#include "server/history/arn.h"
#include "server/history/error.h"

void annals_append_begin_ciphers(struct annals_append *append,
                                 void (*on_decryptor)(struct annals_decryptor *decryptor)) {
  struct annals_append_request *request = &append->request;
  const struct annals_encryption_policy *policy =
      annals_history_options(append->history)->encryption;
  annals_decryptor_begin(&append->decryptor, append->history, request->execution_arn);
  append->decryptor.on_done = on_decryptor;
  append->decryptor.owner = append;
  append->created_encryption = request->encryption;
  if (!request->encryption.given && policy != NULL) {
    g_autofree char *own = annals_execution_arn_state_machine(request->execution_arn);
    append->created_encryption = annals_encryption_policy_find(
        policy, *request->state_machine_arn != '\0' ? request->state_machine_arn : own);
  }
}

void annals_append_clear_ciphers(struct annals_append *append) {
  annals_decryptor_clear(&append->decryptor);
  annals_key_fetch_clear(&append->key);
}

bool annals_append_encrypts(const struct annals_append *append) {
  const struct annals_encryption *created = &append->created_encryption;
  return append->last_id > 0 ? append->data_key > 0
                             : created->given && *created->kms_key_id != '\0';
}

bool annals_append_decrypt(struct annals_append *append, int64_t event_id,
                           struct annals_frame *frame) {
  struct annals_frame plain;
  if (frame->data_key == 0) {
    return true;
  }
  switch (annals_decryptor_read(&append->decryptor, event_id, frame, &plain)) {
    case ANNALS_DECRYPTED:
      *frame = plain;
      return true;
    case ANNALS_DECRYPTED_NEEDS_KEY:
      break;
    case ANNALS_DECRYPTED_DAMAGED:
      append->error = annals_history_damage_error("an event of the history");
      annals_history_name_damaged(append->error, append->request.execution_arn);
      break;
    case ANNALS_DECRYPTED_NO_MEMORY:
      append->error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this append");
      break;
  }
  return false;
}

enum annals_progress annals_append_fetch_key(struct annals_append *append,
                                             void (*on_key)(struct annals_key_fetch *fetch)) {
  annals_key_fetch_clear(&append->key);
  append->key = (struct annals_key_fetch){
      .execution_arn = append->request.execution_arn,
      .ordinal = append->data_key,
      .event_id = append->last_id + 1,
      .encryption = append->created_encryption,
      .on_done = on_key,
      .owner = append,
  };
  return annals_key_fetch_run(append->history, &append->key);
}

GError *annals_append_encrypt(struct annals_append *append, size_t first) {
  struct annals_key_fetch *key = &append->key;
  if (key->error != NULL) {
    return g_steal_pointer(&key->error);
  }
  struct annals_event_cipher *cipher = annals_event_cipher_new(
      annals_history_options(append->history)->schema, append->request.execution_arn);
  annals_event_cipher_set_key(cipher, key->ordinal, annals_data_key_bytes(key->key));
  bool ok = annals_batch_encrypt(append->batch, first, cipher, &append->frames);
  annals_event_cipher_free(cipher);
  g_clear_pointer(&key->key, annals_data_key_unref);
  return ok ? NULL : annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this append");
}

void annals_append_add_data_key(struct annals_append *append) {
  const struct annals_key_fetch *key = &append->key;
  gsize size;
  if (key->record != NULL) {
    append->write.data_key.ordinal = key->ordinal;
    append->write.data_key.record = g_bytes_get_data(key->record, &size);
    append->write.data_key.record_bytes = size;
  }
}
