/*
 * Gets a data key of an execution: its record from the store, and the key from where it is
 * unwrapped or made.
 *
 * Floor 2. What the key service says no to is said on: KMS_ACCESS_DENIED, KMS_INVALID_STATE with
 * kms_key_state, KMS_THROTTLED, KMS_UNAVAILABLE; what it has not wrapped is DATA_CORRUPTED. Of an
 * execution whose data keys were destroyed it is KMS_INVALID_STATE.
 */
#ifndef ANNALS_SERVER_HISTORY_KEY_FETCH_H_
#define ANNALS_SERVER_HISTORY_KEY_FETCH_H_

#include "server/history/data_key_record.h"
#include "server/history/encryption.h"
#include "server/history/history.h"
#include "server/kms/data_keys.h"

G_BEGIN_DECLS

/* One fetch, and the result. Zero it before use. */
struct annals_key_fetch {
  const char *execution_arn; /* has been checked */
  int64_t ordinal;           /* of the data key; to encrypt, of the last one; 0: there is none */
  /* To encrypt events from this id on, with the last data key or one behind it; 0: to decrypt. */
  int64_t event_id;
  struct annals_encryption encryption; /* to encrypt, where there is no data key yet */
  void (*on_done)(struct annals_key_fetch *fetch);
  void *owner; /* the caller's own */

  GError *error;               /* result: NULL, or why there is no key */
  struct annals_data_key *key; /* result; ordinal is which */
  GBytes *record;              /* result: to be stored with what it encrypts; NULL: it is */
  bool waited;                 /* result: for a key service, and the next fetch of it need not */

  /* Private from here on. */
  struct annals_history *history;
  int step;
  struct annals_store_get_data_key get;
  struct annals_data_key_request request;
  struct annals_data_key_record stored;
};

/*
 * Gets the key. A new one is made when the last one's reuse period is over, or it is used up.
 *
 * Errors: as above; KMS_NOT_CONFIGURED, DATA_CORRUPTED, OVERLOADED, INTERNAL.
 * Memory: the caller clears the fetch when it is done with the result.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_key_fetch_run(struct annals_history *history,
                                          struct annals_key_fetch *fetch);

/* Lets go of the result. A zeroed one is fine. */
void annals_key_fetch_clear(struct annals_key_fetch *fetch);

/* Makes the failure of what a key service answers that is not OK. state and message may be NULL. */
GError *annals_key_error(enum annals_key_status status, const char *state, const char *message);

/* Makes the failure of a data key that was destroyed. */
GError *annals_key_destroyed_error(void);

G_END_DECLS

#endif
