/*
 * Who may call, how they prove who they are, and what they may do: the credentials file.
 *
 * Floor 2. An INI file with a group for each principal; the group's name is the principal's:
 *
 *   [reader]
 *   access_key_id = AKIAREADER
 *   secret_access_key = wJalrXUtnFEMI
 *   allow = states:* on arn:aws:states:*:123456789012:*
 *
 *   [engine]
 *   access_key_id = ASIAENGINE
 *   secret_access_key = 7MDENGbPxRfiCY
 *   session_token = IQoJb3JpZ2luX2Vj
 *   expires = 2027-01-01T00:00:00Z
 *   allow = states:* annals:AppendHistoryEvents on arn:aws:states:*:*:execution:Orders:*
 *   allow = states:ListExecutions on arn:aws:states:*:*:stateMachine:Orders
 *   token = 0Uq2mXv7bearerOfThis
 *   certificate = URI:spiffe://example.org/engine
 *
 * Each access_key_id begins a key and each token stands for itself; the lines behind them belong to
 * them. A principal that changes its key has two for a while. All but principals may be repeated.
 * It is read here rather than by GLib, which keeps the last of repeated keys and groups, and says
 * nothing.
 *
 * What is read is immutable; keyring.h has the current one.
 */
#ifndef ANNALS_SERVER_HISTORY_CREDENTIALS_H_
#define ANNALS_SERVER_HISTORY_CREDENTIALS_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/history/rule.h"

G_BEGIN_DECLS

enum {
  ANNALS_CREDENTIALS_FILE_BYTES_MAX = 1024 * 1024,
  ANNALS_PRINCIPAL_NAME_BYTES_MAX = 256,
  ANNALS_ACCESS_KEY_ID_BYTES_MAX = 128,
  ANNALS_BEARER_TOKEN_BYTES_MAX = 4096,
};

struct annals_principal {
  char *name;
  GPtrArray *rules; /* struct annals_rule * */
};

struct annals_access_key {
  char *id;
  char *secret;
  char *session_token; /* NULL: has none, and requests must have none */
  int64_t expires_s;   /* since 1970; INT64_MAX: never */
  const struct annals_principal *principal;
};

/* What whoever sends it proves to be a principal with. */
struct annals_bearer_token {
  char *hash;        /* SHA-256 in hex */
  int64_t expires_s; /* since 1970; INT64_MAX: never */
  const struct annals_principal *principal;
};

struct annals_credentials;

#define ANNALS_CREDENTIALS_ERROR (annals_credentials_error_quark())
GQuark annals_credentials_error_quark(void);

/*
 * Reads a file. It must be regular, and nobody but its owner and group may read it, its owner
 * alone write it. (The group, because Kubernetes hands secrets to processes that are not root's by
 * their group.)
 *
 * Memory: the caller drops the result with annals_credentials_unref().
 * Errors: ANNALS_CREDENTIALS_ERROR, one line with the file, the line's number, the principal and
 *   the key at fault; never with a secret.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_credentials *annals_credentials_load(const char *path, GError **error);

/* Reads the text of a file; path is for errors alone. text is taken to pieces. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_credentials *annals_credentials_parse(const char *path, char *text, size_t size,
                                                    GError **error);

/* Threads: any. The last unref wipes the secrets. NULL is fine for unref. */
struct annals_credentials *annals_credentials_ref(struct annals_credentials *credentials);
void annals_credentials_unref(struct annals_credentials *credentials);

/* Finds a key by its id, or NULL. It and its principal live as long as the credentials. */
const struct annals_access_key *annals_credentials_find_key(
    const struct annals_credentials *credentials, const char *access_key_id);

/*
 * Finds a bearer token, or NULL. How long that takes tells nothing of the tokens that there are, as
 * hashes are compared. It and its principal live as long as the credentials.
 */
const struct annals_bearer_token *annals_credentials_find_token(
    const struct annals_credentials *credentials, const char *token);

/*
 * Finds whose client certificate bears a name, or NULL. name: `URI:…`, `DNS:…` in lower case, or
 * `CN:…`. The principal lives as long as the credentials.
 */
const struct annals_principal *annals_credentials_find_certificate(
    const struct annals_credentials *credentials, const char *name);

/* Tells how many principals there are. */
size_t annals_credentials_principal_count(const struct annals_credentials *credentials);

G_END_DECLS

#endif
