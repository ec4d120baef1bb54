/*
 * The secret that page tokens are authenticated with.
 *
 * Floor 2. A file of one or more lines of 64 hex digits: the first signs, all are accepted, so that
 * tokens outlive a rotation: put the new key above the old one, and drop the old one a token's life
 * later. Replicas that serve the same clients share the file.
 *
 * One lock, a leaf, under which keys are exchanged. It is pthread's, because ThreadSanitizer does
 * not see into GLib's.
 */
#ifndef ANNALS_SERVER_HISTORY_TOKEN_KEY_H_
#define ANNALS_SERVER_HISTORY_TOKEN_KEY_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum { ANNALS_TOKEN_MAC_BYTES = 32 };

struct annals_token_key;

/*
 * Reads a key file.
 * Errors: any of G_FILE_ERROR, among them G_FILE_ERROR_NOENT; G_FILE_ERROR_INVAL when it does not
 *   hold keys.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_token_key *annals_token_key_load(const char *path, GError **error);

/* Reads a key file, or makes one with a random key, readable by the owner only, if none is there.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_token_key *annals_token_key_load_or_create(const char *path, GError **error);

/*
 * Reads the file again. On failure the keys stay as they are. Threads: any.
 * Errors: as annals_token_key_load.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_token_key_reload(struct annals_token_key *key, GError **error);

void annals_token_key_free(struct annals_token_key *key);

/* Computes the HMAC-SHA-256 of bytes with the first key. */
void annals_token_key_sign(const struct annals_token_key *key, const uint8_t *bytes, size_t size,
                           uint8_t ret_mac[ANNALS_TOKEN_MAC_BYTES]);

/* Tells whether mac is that of bytes under any of the keys, in constant time for each. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_token_key_verify(const struct annals_token_key *key, const uint8_t *bytes, size_t size,
                             const uint8_t mac[ANNALS_TOKEN_MAC_BYTES]);

G_END_DECLS

#endif
