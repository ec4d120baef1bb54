/*
 * Where this service's AWS credentials come from, as with AWS's SDKs, the first that is configured:
 *
 *   environment       AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   web identity      AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME: STS, at
 *                     AWS_ENDPOINT_URL_STS or in the region (IRSA on EKS)
 *   container         AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, with
 *                     AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or _TOKEN (ECS, EKS Pod Identity)
 *   file              AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, AWS_PROFILE
 *
 * Floor 1. Temporary ones are renewed before they expire; the file is read again each minute.
 * Instance metadata of EC2 is not asked.
 *
 * Threads: that of the exchanges, but for making and freeing.
 */
#ifndef ANNALS_SERVER_KMS_AWS_CREDENTIAL_SOURCE_H_
#define ANNALS_SERVER_KMS_AWS_CREDENTIAL_SOURCE_H_

#include <glib.h>

#include "server/kms/aws_credentials.h"
#include "server/kms/exchange.h"
#include "server/kms/key_provider.h"

G_BEGIN_DECLS

struct annals_aws_credential_source;

/*
 * Reads what is configured; getenv_of gives variables, as g_getenv does. Nothing is asked for yet,
 * and where nothing is configured, requests fail.
 *
 * exchanges: must outlive the source. region: of STS.
 * Errors: G_OPTION_ERROR: the endpoint of the container's credentials is one that a token must not
 *   be sent to; one line that names the variable.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_aws_credential_source *annals_aws_credential_source_new(
    struct annals_exchanges *exchanges, const char *region,
    const char *(*getenv_of)(const char *name), GError **error);

/* Nobody may wait. NULL is fine. */
void annals_aws_credential_source_free(struct annals_aws_credential_source *source);

/* A request for credentials, which the caller keeps until on_done. */
struct annals_aws_credential_request {
  /* May be called before annals_aws_credential_source_request has returned. */
  void (*on_done)(struct annals_aws_credential_request *request);
  void *user;

  const struct annals_aws_credentials *credentials; /* until on_done returns; NULL: none */
  enum annals_key_status status; /* without: ACCESS_DENIED; UNAVAILABLE, when they may come later */
  const char *message;           /* without: one sentence, until on_done returns */
};

void annals_aws_credential_source_request(struct annals_aws_credential_source *source,
                                          struct annals_aws_credential_request *request);

/* Has the next request get new ones, as these were refused. */
void annals_aws_credential_source_renew(struct annals_aws_credential_source *source);

G_END_DECLS

#endif
