#include "server/history/data_key_record.h"

#include "annals/internal/v1/data_key_record.pb-c.h"

bool annals_data_key_record_read(GBytes *bytes, struct annals_data_key_record *ret_record) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);
  Annals__Internal__V1__DataKeyRecord *message =
      annals__internal__v1__data_key_record__unpack(NULL, size, data);
  bool destroyed = message != NULL && message->destroyed_at_ms > 0;
  bool ok = message != NULL && message->reuse_period_seconds > 0 && message->first_event_id > 0 &&
            *message->kms_key_id != '\0' && *message->kms_key_arn != '\0' &&
            (message->wrapped.len == 0) == destroyed;
  if (ok) {
    *ret_record = (struct annals_data_key_record){
        .wrapped = destroyed ? NULL : g_bytes_new(message->wrapped.data, message->wrapped.len),
        .kms_key_id = g_strdup(message->kms_key_id),
        .kms_key_arn = g_strdup(message->kms_key_arn),
        .reuse_seconds = message->reuse_period_seconds,
        .created_at_ms = message->created_at_ms,
        .first_event_id = message->first_event_id,
        .destroyed_at_ms = message->destroyed_at_ms,
    };
  }
  annals__internal__v1__data_key_record__free_unpacked(message, NULL);
  return ok;
}

GBytes *annals_data_key_record_write(const struct annals_data_key_record *record) {
  Annals__Internal__V1__DataKeyRecord message = ANNALS__INTERNAL__V1__DATA_KEY_RECORD__INIT;
  if (record->wrapped != NULL) {
    /* protobuf-c has no const; packing only reads. */
    message.wrapped.data = (uint8_t *)g_bytes_get_data(record->wrapped, &message.wrapped.len);
  }
  message.kms_key_id = record->kms_key_id;
  message.kms_key_arn = record->kms_key_arn;
  message.reuse_period_seconds = record->reuse_seconds;
  message.created_at_ms = record->created_at_ms;
  message.first_event_id = record->first_event_id;
  message.destroyed_at_ms = record->destroyed_at_ms;
  size_t size = annals__internal__v1__data_key_record__get_packed_size(&message);
  uint8_t *bytes = g_malloc(size);
  annals__internal__v1__data_key_record__pack(&message, bytes);
  return g_bytes_new_take(bytes, size);
}

bool annals_data_key_record_is_fresh(const struct annals_data_key_record *record, int64_t now_ms) {
  int64_t age_ms = now_ms - record->created_at_ms;
  /* One of a time to come was made by another clock: its age is not known. */
  return age_ms >= 0 && age_ms < (int64_t)record->reuse_seconds * 1000;
}

bool annals_data_key_record_is_used_up(const struct annals_data_key_record *record,
                                       int64_t event_id) {
  return event_id - record->first_event_id >= ANNALS_DATA_KEY_EVENTS_MAX - 1000;
}

void annals_data_key_record_clear(struct annals_data_key_record *record) {
  g_clear_pointer(&record->wrapped, g_bytes_unref);
  g_free(record->kms_key_id);
  g_free(record->kms_key_arn);
  *record = (struct annals_data_key_record){0};
}
