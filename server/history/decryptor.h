/*
 * Reads the encrypted events of one execution, for one operation: it tells when it needs a data key
 * that it does not have, and gets it.
 *
 * Floor 2. The execution may be deleted and begun anew between getting a key and reading with it:
 * before an event is called damaged, its key is got once more. What a decryptor has of keys and of
 * texts is wiped when it is cleared, so it lives no longer than one answer takes.
 */
#ifndef ANNALS_SERVER_HISTORY_DECRYPTOR_H_
#define ANNALS_SERVER_HISTORY_DECRYPTOR_H_

#include "server/history/event_cipher.h"
#include "server/history/key_fetch.h"

G_BEGIN_DECLS

enum { ANNALS_DECRYPTOR_KEYS_MAX = 16 };

enum annals_decrypted {
  ANNALS_DECRYPTED,
  ANNALS_DECRYPTED_NEEDS_KEY, /* get it, and read the event again */
  ANNALS_DECRYPTED_DAMAGED,   /* the event is not what was stored there */
  ANNALS_DECRYPTED_NO_MEMORY,
};

/* Zeroed: it has read nothing. */
struct annals_decryptor {
  void (*on_done)(struct annals_decryptor *decryptor);
  void *owner;

  /* Private from here on. */
  struct annals_history *history;
  struct annals_event_cipher *ciphers[ANNALS_DECRYPTOR_KEYS_MAX]; /* one for each key */
  size_t cipher_count;
  bool fetching;
  bool evicted; /* of keys that it had */
  bool doubted; /* a key was got once more, as an event seemed damaged */
  struct annals_key_fetch fetch;
  int64_t wanted; /* the ordinal of the key it needs; 0: none */
  struct annals_buffer plain;
};

/* Prepares it for the operation: execution_arn has been checked and outlives it. Cost: none. */
void annals_decryptor_begin(struct annals_decryptor *decryptor, struct annals_history *history,
                            const char *execution_arn);

/*
 * Gives an event that is encrypted as one that is not: a view, until the next one. event_id is its
 * place in the history.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_decrypted annals_decryptor_read(struct annals_decryptor *decryptor, int64_t event_id,
                                            const struct annals_frame *frame,
                                            struct annals_frame *ret_plain);

/* Gives it without what is encrypted, which takes no key. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_decrypted annals_decryptor_redact(struct annals_decryptor *decryptor,
                                              const struct annals_frame *frame,
                                              struct annals_frame *ret_plain);

/*
 * Tells for how many microseconds what was read with a key may be kept: as long as the key is. 0:
 * it has no such key, or doubts what it has; what others have read with it is not to be used.
 */
int64_t annals_decryptor_left_us(const struct annals_decryptor *decryptor, int64_t data_key);

/* Tells whether it needs a key. */
bool annals_decryptor_needs_key(const struct annals_decryptor *decryptor);

/* Tells whether it is getting one: until that is ended. */
bool annals_decryptor_is_fetching(const struct annals_decryptor *decryptor);

/* Tells whether it lets go of all others when it gets another key, and whether it never did. */
bool annals_decryptor_is_full(const struct annals_decryptor *decryptor);
bool annals_decryptor_has_all(const struct annals_decryptor *decryptor);

/* Gets the key it needs. on_done as that of every operation. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_decryptor_fetch(struct annals_decryptor *decryptor);

/* Ends the fetch: it has the key, or this is why not, the caller's. */
G_GNUC_WARN_UNUSED_RESULT
GError *annals_decryptor_take_key(struct annals_decryptor *decryptor);

/* Lets go of all keys and texts; it can go on. A zeroed one is fine. */
void annals_decryptor_clear(struct annals_decryptor *decryptor);

G_END_DECLS

#endif
