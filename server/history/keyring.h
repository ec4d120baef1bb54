/*
 * The credentials that count now.
 *
 * Floor 2. Whoever has got them keeps them while a request lasts; a reload swaps them for the
 * requests that come later, and for streams that look whether theirs still are the ones. One lock,
 * a leaf; it is pthread's, because ThreadSanitizer does not see into GLib's.
 */
#ifndef ANNALS_SERVER_HISTORY_KEYRING_H_
#define ANNALS_SERVER_HISTORY_KEYRING_H_

#include "server/history/credentials.h"

G_BEGIN_DECLS

struct annals_keyring;

/*
 * Makes a keyring of the credentials in a file. Memory: the caller frees it.
 * Errors: as annals_credentials_load.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_keyring *annals_keyring_new(const char *path, GError **error);

/* NULL is fine. Credentials that were got may outlive the keyring. */
void annals_keyring_free(struct annals_keyring *keyring);

/*
 * Reads the file again. On failure the credentials stay as they are.
 * Errors: as annals_credentials_load.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_keyring_reload(struct annals_keyring *keyring, GError **error);

/* Gives the credentials. Memory: the caller drops them with annals_credentials_unref(). */
G_GNUC_WARN_UNUSED_RESULT
struct annals_credentials *annals_keyring_get(struct annals_keyring *keyring);

/*
 * Tells whether credentials that were got, and are kept, are those that count now. While they are
 * kept nothing else has their address.
 *
 * Cost: an atomic load.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_keyring_is_current(struct annals_keyring *keyring,
                               const struct annals_credentials *credentials);

G_END_DECLS

#endif
