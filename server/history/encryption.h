/*
 * How an execution is encrypted, as its first append says it or the configuration does.
 *
 * Floor 2. Source of the limits: AWS's model of EncryptionConfiguration.
 */
#ifndef ANNALS_SERVER_HISTORY_ENCRYPTION_H_
#define ANNALS_SERVER_HISTORY_ENCRYPTION_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_encryption_type { /* numbers of annals.v1.EncryptionType */
                              ANNALS_ENCRYPTION_UNSPECIFIED,
                              ANNALS_ENCRYPTION_AWS_OWNED_KEY, /* nothing is encrypted here */
                              ANNALS_ENCRYPTION_CUSTOMER_MANAGED_KMS_KEY,
};

enum {
  ANNALS_KMS_KEY_ID_BYTES_MAX = 2048,
  ANNALS_REUSE_SECONDS_DEFAULT = 300,
};

/* The name and the value of the one pair of the encryption context are these and the ARN. */
#define ANNALS_ENCRYPTION_CONTEXT_NAME "aws:states:executionArn"

/* A view. */
struct annals_encryption {
  bool given; /* the request says something of it */
  int64_t type;
  const char *kms_key_id; /* "" means absent; not NULL where given */
  int32_t reuse_seconds;  /* 0: absent */
};

/* --- the configuration --- */

/*
 * The keys that executions are encrypted under if their first append does not say: rules of a
 * pattern as credentials have it (rule.h), for the state machine's ARN, a key and a reuse period.
 * The first one that fits counts. What is built is not changed any more.
 */
struct annals_encryption_policy;

struct annals_encryption_policy *annals_encryption_policy_new(void);
/* NULL is fine. */
void annals_encryption_policy_free(struct annals_encryption_policy *policy);

/*
 * Adds a rule behind those that there are: `KEY` or `KEY SECONDS`, or `none`.
 * Errors: G_KEY_FILE_ERROR_INVALID_VALUE, saying what is wrong with the pattern or the rest, or
 *   that the pattern stands in an earlier rule.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_encryption_policy_add(struct annals_encryption_policy *policy, const char *pattern,
                                  const char *text, GError **error);

/* Tells how executions of a state machine are encrypted: a view; not given where they are not. */
struct annals_encryption annals_encryption_policy_find(
    const struct annals_encryption_policy *policy, const char *state_machine_arn);

/* Tells whether any rule has a key. */
bool annals_encryption_policy_needs_keys(const struct annals_encryption_policy *policy);

G_END_DECLS

#endif
