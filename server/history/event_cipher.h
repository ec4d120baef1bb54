/*
 * Encrypts the sensitive members of events, and decrypts them.
 *
 * Floor 2. An encrypted event stands in a frame of its own kind (frame.h), which names the data
 * key. It is the canonical event but for its members that AWS's model calls sensitive
 * (event_members.def), each of which holds, under its own number,
 *
 *   nonce (12 bytes)  ciphertext (as long as the text)  tag (16 bytes)
 *
 * by AES-256-GCM; a map is one member, of all its entries as they stand. Authenticated with each is
 * where it belongs: the execution's ARN, the event's place in the history, the numbers of the
 * details and of the member. So what is altered, exchanged or moved is refused. An execution that
 * is begun anew has data keys of its own.
 *
 * Nonces are random. A data key is used for no more than 2^28 events (data_key_record.h), each with
 * three members at most: below the 2^32 uses that NIST SP 800-38D, 8.3, allows.
 */
#ifndef ANNALS_SERVER_HISTORY_EVENT_CIPHER_H_
#define ANNALS_SERVER_HISTORY_EVENT_CIPHER_H_

#include "proto/buffer.h"
#include "proto/schema.h"
#include "storage/frame.h"

G_BEGIN_DECLS

enum {
  ANNALS_CIPHER_KEY_BYTES = 32,
  ANNALS_CIPHER_NONCE_BYTES = 12,
  ANNALS_CIPHER_TAG_BYTES = 16,
  /* What an event grows by at most: three members, and longer lengths before them. */
  ANNALS_CIPHER_EVENT_EXTRA = 128,
};

struct annals_event_cipher;

/* Makes a cipher for the events of one execution, without a key. Threads: one at a time. */
struct annals_event_cipher *annals_event_cipher_new(const struct annals_schema *schema,
                                                    const char *execution_arn);

/* Wipes what it has of keys. NULL is fine. */
void annals_event_cipher_free(struct annals_event_cipher *cipher);

/* Has it use a data key of ANNALS_CIPHER_KEY_BYTES, by its ordinal. Cost: none where it does. */
void annals_event_cipher_set_key(struct annals_event_cipher *cipher, int64_t data_key,
                                 const uint8_t *bytes);

/* Tells the ordinal of the key in use; 0: none. */
int64_t annals_event_cipher_key(const struct annals_event_cipher *cipher);

/*
 * Appends a canonical event as an encrypted frame. event_id is its place in the history.
 * Errors: returns false when the event is damaged or out has failed.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_event_cipher_encrypt(struct annals_event_cipher *cipher, int64_t event_id,
                                 const uint8_t *event, size_t size, struct annals_buffer *out);

/*
 * Appends the event of an encrypted frame as a plain one. The frame's key is the one in use.
 * Errors: returns false when a member is not what was encrypted for this place, when the event is
 *   damaged, or when out has failed; what out has got by then is nobody's.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_event_cipher_decrypt(struct annals_event_cipher *cipher, int64_t event_id,
                                 const struct annals_frame *frame, struct annals_buffer *out);

/*
 * Appends the event of an encrypted frame as a plain one, without its encrypted members.
 * Errors: returns false when the event is damaged or out has failed.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_event_cipher_redact(const struct annals_schema *schema,
                                const struct annals_frame *frame, struct annals_buffer *out);

G_END_DECLS

#endif
