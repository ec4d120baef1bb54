/*
 * One append to a history: the contract between engines and their histories.
 *
 * Floor 2. All events or none. Ids are contiguous from 1, and the id is the fence between writers:
 * ids at or below the last stored one are a retry, which must be equal to what is stored; a
 * contiguous rest behind them is appended.
 */
#ifndef ANNALS_SERVER_HISTORY_APPEND_H_
#define ANNALS_SERVER_HISTORY_APPEND_H_

#include "server/history/append_request.h"
#include "server/history/batch.h"
#include "server/history/cancel.h"
#include "server/history/decryptor.h"
#include "server/history/history.h"
#include "server/history/key_fetch.h"
#include "server/history/listing_place.h"

G_BEGIN_DECLS

/* One append under way, and the result. Zero it before use. */
struct annals_append {
  struct annals_append_request request; /* where it does not say, the encryption is what the
                                           configuration says; the events are not read any more once
                                           annals_append_run has returned; the strings are */
  void (*on_done)(struct annals_append *append);
  void *owner;                        /* the caller's own */
  const struct annals_cancel *cancel; /* whether anybody waits; NULL: always */

  GError *error; /* result: NULL, or why nothing was stored */
  int64_t last_event_id;
  int32_t appended_count;
  int32_t already_stored_count;
  int32_t adjusted_timestamp_count;

  /* Private from here on. */
  struct annals_history *history;
  struct annals_batch *batch;
  int step;
  int attempts;
  int64_t now_ms;
  int64_t last_id;               /* of the history */
  struct annals_event_head last; /* the history's last event; while comparing, the last compared */
  int64_t compared_id;           /* id of last, while comparing */
  int64_t conflict_id;           /* 0: none */
  struct annals_store_tail tail;
  struct annals_store_get get;
  struct annals_store_read read;
  struct annals_store_append write;
  struct annals_encryption created_encryption; /* of the execution, if this creates it */
  int64_t data_key;                  /* the ordinal of the last event's; 0: it is not encrypted */
  struct annals_decryptor decryptor; /* of what is compared */
  struct annals_key_fetch key;       /* of what is new */
  struct annals_buffer frames; /* of the new events, where timestamps had to be set or raised, or
                                  they are encrypted */
  uint8_t *record;
  size_t record_size; /* 0: the record and its places stay as they are */
  struct annals_listing_places old_places;
  struct annals_listing_places new_places;
  bool closes; /* the execution has ended, as the record has it */
  int64_t stop_seconds;
};

/*
 * Appends.
 *
 * Errors: INVALID_ARN, INVALID_REQUEST, PERMISSION_DENIED, INVALID_EVENT, LIMIT_EXCEEDED,
 *         EVENT_CONFLICT, EVENT_GAP, NO_SPACE, WRITES_STOPPED, OUTCOME_UNKNOWN, DATA_CORRUPTED,
 *         OVERLOADED; those of key_fetch.h where the history is encrypted, or is to be. CANCELLED
 * and DEADLINE_EXCEEDED when nobody waits before the events are handed to the store. Memory: the
 * caller clears the append when it is done with the result.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_append_run(struct annals_history *history,
                                       struct annals_append *append);

/* Frees what the append holds. */
void annals_append_clear(struct annals_append *append);

G_END_DECLS

#endif
