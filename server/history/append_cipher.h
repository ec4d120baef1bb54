/*
 * What an append does where the history is encrypted, or is to be.
 *
 * Floor 2, private to append.c.
 */
#ifndef ANNALS_SERVER_HISTORY_APPEND_CIPHER_H_
#define ANNALS_SERVER_HISTORY_APPEND_CIPHER_H_

#include "server/history/append.h"

G_BEGIN_DECLS

/* Begins with a request that was checked: settles how an execution that it creates is encrypted. */
void annals_append_begin_ciphers(struct annals_append *append,
                                 void (*on_decryptor)(struct annals_decryptor *decryptor));

/* Lets go of keys and texts. */
void annals_append_clear_ciphers(struct annals_append *append);

/* Tells whether the new events are to be encrypted, once it is known where the history ends. */
bool annals_append_encrypts(const struct annals_append *append);

/*
 * Makes a stored event plain, if it is not. Returns false when it cannot be compared, with
 * append->error set; or not before the decryptor has the key that it needs.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_append_decrypt(struct annals_append *append, int64_t event_id,
                           struct annals_frame *frame);

/* Gets the key for the new events. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_append_fetch_key(struct annals_append *append,
                                             void (*on_key)(struct annals_key_fetch *fetch));

/* Encrypts the new events, those from this one of the batch on, with the key that was got. NULL, or
 * why not. */
G_GNUC_WARN_UNUSED_RESULT
GError *annals_append_encrypt(struct annals_append *append, size_t first);

/* Has the write bring the data key along, if it is new. */
void annals_append_add_data_key(struct annals_append *append);

G_END_DECLS

#endif
