/*
 * A key provider for those without a key service: the keys are in a file of this machine.
 *
 * Floor 1. Its key ids are local:NAME. Answers come at once, on the caller's thread.
 *
 * The wrapped form, 13 + name + 60 bytes: "AnK1", the length of the name (one byte), the name, 8
 * bytes that tell which of the keys of that name it is, a nonce of 12 bytes, the data key under
 * AES-256-GCM, its tag. All before the nonce, and the encryption context, are authenticated with
 * it. Random nonces make a key good for 2^32 data keys (NIST SP 800-38D, 8.3).
 */
#ifndef ANNALS_SERVER_KMS_LOCAL_PROVIDER_H_
#define ANNALS_SERVER_KMS_LOCAL_PROVIDER_H_

#include <glib.h>
#include <stdbool.h>

#include "server/kms/key_provider.h"

G_BEGIN_DECLS

#define ANNALS_LOCAL_KEY_PREFIX "local:"

/* Tells whether a wrapped form is of this provider. */
bool annals_local_provider_wrapped(GBytes *wrapped);

/*
 * Reads the key file (local_keys.h).
 * Errors: as annals_local_keys_load.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_key_provider *annals_local_provider_new(const char *path, GError **error);

/*
 * Reads the file again. On failure the keys stay as they are. Threads: any.
 * Errors: as annals_local_keys_load.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_local_provider_reload(struct annals_key_provider *provider, GError **error);

G_END_DECLS

#endif
