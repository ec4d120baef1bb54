/*
 * What AWS knows this service by: an access key, in the forms in which AWS's SDKs are given one.
 *
 * Floor 1. Pure functions over foreign bytes; aws_credential_source.h has where they come from.
 */
#ifndef ANNALS_SERVER_KMS_AWS_CREDENTIALS_H_
#define ANNALS_SERVER_KMS_AWS_CREDENTIALS_H_

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_aws_credentials {
  char *id;
  char *secret;
  char *token;        /* of temporary ones; NULL: none */
  int64_t expires_us; /* since 1970; INT64_MAX: never */
};

/* Memory: the caller frees. token NULL or "": none. */
struct annals_aws_credentials *annals_aws_credentials_new(const char *id, const char *secret,
                                                          const char *token);
/* Wipes the secrets. NULL is fine. */
void annals_aws_credentials_free(struct annals_aws_credentials *credentials);

/*
 * Reads a profile of a shared credentials file.
 *
 * Errors: G_KEY_FILE_ERROR, without what the file holds.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_aws_credentials *annals_aws_credentials_of_file(const char *text, const char *profile,
                                                              GError **error);

/*
 * Reads the JSON of a container's endpoint: AccessKeyId, SecretAccessKey, Token, Expiration. NULL:
 * it is none.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_aws_credentials *annals_aws_credentials_of_json(const char *text, size_t size);

/* Reads the XML of STS's AssumeRoleWithWebIdentity. NULL: it is none. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_aws_credentials *annals_aws_credentials_of_xml(const char *text, size_t size);

G_END_DECLS

#endif
