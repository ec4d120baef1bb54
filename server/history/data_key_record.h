/*
 * What is kept of a data key beside the events that it encrypts.
 *
 * Floor 2. The store holds it as bytes (data_key_record.proto). A data key is used for new events
 * during its reuse period, and for 2^28 events at most: see event_cipher.h.
 */
#ifndef ANNALS_SERVER_HISTORY_DATA_KEY_RECORD_H_
#define ANNALS_SERVER_HISTORY_DATA_KEY_RECORD_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

enum { ANNALS_DATA_KEY_EVENTS_MAX = 1 << 28 };

/* One record. What it holds is owned. */
struct annals_data_key_record {
  GBytes *wrapped;   /* NULL: it was destroyed */
  char *kms_key_id;  /* as the owner names it: an alias may stand for another key by now */
  char *kms_key_arn; /* the key that wrapped it */
  int32_t reuse_seconds;
  int64_t created_at_ms;
  int64_t first_event_id;
  int64_t destroyed_at_ms;
};

/* Reads a record. Returns false, with nothing to clear, when it is damaged. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_data_key_record_read(GBytes *bytes, struct annals_data_key_record *ret_record);

/* Writes a record. Memory: the caller unrefs the result. */
G_GNUC_WARN_UNUSED_RESULT
GBytes *annals_data_key_record_write(const struct annals_data_key_record *record);

/* Tells whether its reuse period goes on: new events may be encrypted with it. */
bool annals_data_key_record_is_fresh(const struct annals_data_key_record *record, int64_t now_ms);

/* Tells whether it has encrypted as many events as it may, before the one with this id. */
bool annals_data_key_record_is_used_up(const struct annals_data_key_record *record,
                                       int64_t event_id);

/* Frees what it holds. */
void annals_data_key_record_clear(struct annals_data_key_record *record);

G_END_DECLS

#endif
