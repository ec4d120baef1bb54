/*
 * What the listeners show of themselves over TLS, and whom they trust: certificate, key, client CA.
 *
 * Floor 1. Read from PEM files, all of them together and only if they fit together; a reload swaps
 * them for the connections that come later. No transport shows through: each takes the PEM text.
 * One lock, a leaf; it is pthread's, because ThreadSanitizer does not see into GLib's.
 */
#ifndef ANNALS_SERVER_OPS_TLS_H_
#define ANNALS_SERVER_OPS_TLS_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ANNALS_TLS_ERROR (annals_tls_error_quark())
GQuark annals_tls_error_quark(void);

/* Where to read from. Views. */
struct annals_tls_files {
  const char *cert;      /* the certificate, behind it those between it and its CA */
  const char *key;       /* its private key, without passphrase */
  const char *client_ca; /* CAs of client certificates; NULL: clients are not asked for one */
};

/* What was read. Immutable. */
struct annals_tls_identity {
  gint references;
  unsigned serial; /* of the reading: 1, 2, … */
  char *cert_pem;
  char *key_pem;
  char *client_ca_pem;  /* NULL: see above */
  int64_t not_before_s; /* the certificate's times, since 1970 */
  int64_t not_after_s;
};

struct annals_tls;

/*
 * Reads the files. Memory: the caller frees the result; identities that were got may outlive it.
 *
 * A certificate whose time is over is taken: see annals_tls_identity.
 * Errors: ANNALS_TLS_ERROR, one line naming the file: it cannot be read, is not what it should be,
 *   is too weak for OpenSSL's security level; or the key is not the certificate's.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_tls *annals_tls_new(const struct annals_tls_files *files, GError **error);
void annals_tls_free(struct annals_tls *tls);

/*
 * Reads the files again. On failure everything stays as it is. To be called from one thread.
 * Errors: as annals_tls_new.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_tls_reload(struct annals_tls *tls, GError **error);

/* Tells whether clients are asked for certificates. The same for the life of tls. */
bool annals_tls_asks_clients(const struct annals_tls *tls);

/* Gives what counts now. From any thread. Memory: the caller drops it. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_tls_identity *annals_tls_get(struct annals_tls *tls);

/* Drops an identity; the last one wipes the key. NULL is fine. */
void annals_tls_identity_unref(struct annals_tls_identity *identity);

G_END_DECLS

#endif
