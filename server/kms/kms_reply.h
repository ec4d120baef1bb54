/*
 * What AWS KMS answers, and what it means.
 *
 * Floor 1. Pure functions over foreign bytes. A data key is taken out of the text before anything
 * else sees it, so that no copy of it is made but the caller's.
 *
 * Source: AWS's model of KMS (JSON 1.1), and its API reference for the errors of GenerateDataKey,
 * Decrypt and ReEncrypt.
 */
#ifndef ANNALS_SERVER_KMS_KMS_REPLY_H_
#define ANNALS_SERVER_KMS_KMS_REPLY_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/kms/key_provider.h"

G_BEGIN_DECLS

/* What an answer is to hold. */
struct annals_kms_expected {
  bool plain;
  bool wrapped;
};

/*
 * Reads the answer of a call with HTTP status 200 into the second part of the call. The text is
 * changed: the data key in it is overwritten. UNAVAILABLE: it is no such answer.
 *
 * text: size bytes and a NUL.
 */
void annals_kms_reply_read(char *text, size_t size, const struct annals_kms_expected *expected,
                           struct annals_key_call *call);

/* What an error asks for beside telling the caller. */
struct annals_kms_advice {
  bool works; /* KMS answered, and not that it failed */
  bool retry; /* the same call may succeed soon */
  bool renew; /* credentials were refused, which newer ones may not be */
};

/* Reads any other answer into status, key_state and message of the call. http_status 0: none came,
 * and text says why. */
void annals_kms_reply_read_error(long http_status, const char *text, size_t size,
                                 struct annals_key_call *call,
                                 struct annals_kms_advice *ret_advice);

G_END_DECLS

#endif
