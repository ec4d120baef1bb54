/*
 * AWS KMS as a key provider, or what speaks its JSON 1.1 over HTTP: GenerateDataKey, Decrypt and
 * ReEncrypt, signed (SigV4).
 *
 * Floor 1. Calls are made on a thread of its own; callers never wait. A call that was throttled, or
 * that KMS was not reached for or failed at (5xx), is made again, up to attempts_max times in all
 * and within its time, after a random part of a delay that doubles. At most calls_max are under
 * way; more fail with THROTTLED.
 *
 * When KMS has not been reached or has failed several times in a row, calls fail at once for a
 * while (breaker.h). As in AWS's SDKs a failure is what may pass on its own: no answer, one that
 * cannot be read, any 5xx such as KMSInternalException or DependencyTimeoutException. KMS that
 * throttles, or says no to this caller or this key (KeyUnavailableException, too, which is a 5xx),
 * works.
 *
 * KMS answers                                                        and the call ends with
 *   AccessDeniedException; credentials or signature refused            ACCESS_DENIED
 *   DisabledException, KMSInvalidStateException, NotFoundException,
 *   KeyUnavailableException, InvalidKeyUsageException                  INVALID_STATE
 *   ThrottlingException, LimitExceededException, HTTP 429              THROTTLED
 *   InvalidCiphertextException, IncorrectKeyException                  MISMATCH
 *   nothing, 5xx, what cannot be read                                  UNAVAILABLE
 */
#ifndef ANNALS_SERVER_KMS_AWS_KMS_H_
#define ANNALS_SERVER_KMS_AWS_KMS_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/kms/breaker.h"
#include "server/kms/key_provider.h"

G_BEGIN_DECLS

/* 0, NULL and "" stand for what is said behind. */
struct annals_aws_kms_options {
  const char *endpoint;                       /* URL; AWS's of the region */
  const char *region;                         /* AWS_REGION, AWS_DEFAULT_REGION; us-east-1 where
                                                 there is an endpoint */
  bool allow_plaintext;                       /* http:// to other machines */
  const char *(*getenv_of)(const char *name); /* g_getenv; AWS_CA_BUNDLE, and credentials as in
                                                 aws_credential_source.h */
  int64_t timeout_us;                         /* of a call with all its attempts: 10 s */
  int64_t attempt_timeout_us;                 /* of one attempt: 5 s */
  int64_t backoff_us;                         /* before the second attempt, at most: 100 ms */
  int attempts_max;                           /* 4 */
  int calls_max;                              /* under way: 1024 */
  int connections_max;                        /* 16 */
  int breaker_failures_max;                   /* 5 */
  int64_t breaker_open_us;                    /* 5 s */
};

/*
 * Starts the thread; nothing is asked for yet.
 *
 * Errors: G_OPTION_ERROR, one line that names the option; G_FILE_ERROR, no thread is to be had.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_key_provider *annals_aws_kms_new(const struct annals_aws_kms_options *options,
                                               GError **error);

/* Tells how its breaker is. Threads: any. */
enum annals_breaker_state annals_aws_kms_breaker(const struct annals_key_provider *provider);

G_END_DECLS

#endif
