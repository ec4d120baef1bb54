/*
 * Credentials from the inside: what the reader of the file fills in.
 *
 * Floor 2, private to credentials.c, which has their life, and credentials_file.c, which reads
 * them.
 */
#ifndef ANNALS_SERVER_HISTORY_CREDENTIALS_INTERNAL_H_
#define ANNALS_SERVER_HISTORY_CREDENTIALS_INTERNAL_H_

#include "server/history/credentials.h"

G_BEGIN_DECLS

struct annals_credentials {
  gint references;
  GPtrArray *principals;    /* struct annals_principal * */
  GHashTable *names;        /* of the principals, a set: they own the texts */
  GHashTable *keys;         /* id to struct annals_access_key *; the key owns the id */
  GHashTable *tokens;       /* hash to struct annals_bearer_token *; the token owns the hash */
  GHashTable *certificates; /* name to struct annals_principal *; owns the name */
};

struct annals_credentials *annals_credentials_new(void);

/* Makes a principal without rules, for credentials->principals to own. */
struct annals_principal *annals_principal_new(const char *name);

/* Gives what stands for a token: tokens themselves are not kept. The caller frees it. */
char *annals_bearer_token_hash(const char *token);

G_END_DECLS

#endif
