/*
 * Where data keys come from: a key service such as AWS KMS, or a key file of this machine.
 *
 * Floor 1. A data key is 32 random bytes that seal the histories of the key's owner. What is kept
 * beside them is its wrapped form, which the provider alone can unwrap, and only under the same
 * encryption context. The wrapped form tells its provider which key wrapped it; to all others it is
 * opaque bytes.
 *
 * Threads: the operations may be called from any thread and never block. free is called once, when
 * nobody calls any more: calls still under way are done with UNAVAILABLE before it returns.
 */
#ifndef ANNALS_SERVER_KMS_KEY_PROVIDER_H_
#define ANNALS_SERVER_KMS_KEY_PROVIDER_H_

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum {
  ANNALS_DATA_KEY_BYTES = 32,
  /* Source: CiphertextBlob of AWS's model of KMS, 2.0: 1 to 6,144 bytes. */
  ANNALS_WRAPPED_KEY_BYTES_MAX = 6144,
};

enum annals_key_status {
  ANNALS_KEY_OK,
  ANNALS_KEY_ACCESS_DENIED, /* this service may not use the key */
  ANNALS_KEY_INVALID_STATE, /* disabled, about to be deleted, not found: key_state */
  ANNALS_KEY_THROTTLED,     /* asked too often: later */
  ANNALS_KEY_UNAVAILABLE,   /* the key service was not reached, or failed: later */
  ANNALS_KEY_MISMATCH,      /* not what this key wrapped under this context */
};

/*
 * One request. The caller fills the first part, keeps it and all it points to alive until on_done,
 * and may free it there. The provider fills the second, which the caller zeroes before.
 */
struct annals_key_call {
  /* As KMS takes it: id, ARN, alias/NAME, alias ARN; or local:NAME. To unwrap it may be NULL: any
   * key will do that the provider has. */
  const char *key_id;
  const char *context_name; /* the one pair of the encryption context: aws:states:executionArn */
  const char *context_value;
  int64_t deadline_us; /* g_get_monotonic_time's; 0: the provider's own timeout */
  /* generate, unwrap: where the data key goes, ANNALS_DATA_KEY_BYTES of the caller's, which should
   * be locked in memory. Written only when the status is OK. */
  uint8_t *plain;
  /* Called once, on any thread, perhaps before the operation has returned. Must not block. */
  void (*on_done)(struct annals_key_call *call);
  void *user;

  enum annals_key_status status;
  const char *key_state; /* INVALID_STATE: one of AWS's KmsKeyState, or NULL; static */
  char *message;         /* unless OK: a sentence without secrets, or NULL; g_free */
  GBytes *wrapped;       /* generate, rewrap, if OK: the wrapped form; g_bytes_unref */
  char *key_arn; /* if OK: the key that wrapped it, as the service names it in full; g_free */
};

struct annals_key_provider;

struct annals_key_provider_ops {
  /* Makes a data key: plain and wrapped. */
  void (*generate)(struct annals_key_provider *provider, struct annals_key_call *call);

  /* Unwraps a data key: plain. wrapped is held by the provider until on_done. */
  void (*unwrap)(struct annals_key_provider *provider, struct annals_key_call *call,
                 GBytes *wrapped);

  /*
   * Wraps a data key anew under call->key_id, in that key's newest version: wrapped. The context
   * stays. The plain form does not leave a service that can do this itself. from_key_id is the key
   * that wrapped it before, or NULL as in call->key_id.
   */
  void (*rewrap)(struct annals_key_provider *provider, struct annals_key_call *call,
                 GBytes *wrapped, const char *from_key_id);

  /* Has calls that wait for somebody else done with UNAVAILABLE, soon, and all that come: as when
   * the server is to stop. May be NULL: there are none. Idempotent. */
  void (*end)(struct annals_key_provider *provider);

  void (*free)(struct annals_key_provider *provider);
};

/* The base that implementations embed first. */
struct annals_key_provider {
  const struct annals_key_provider_ops *ops;
};

G_END_DECLS

#endif
