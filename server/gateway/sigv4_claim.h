/*
 * What a request says of its signature, in its Authorization header or in its query.
 *
 * Floor 3, private to the gateway. Nothing of it is true yet.
 */
#ifndef ANNALS_SERVER_GATEWAY_SIGV4_CLAIM_H_
#define ANNALS_SERVER_GATEWAY_SIGV4_CLAIM_H_

#include "server/gateway/sigv4.h"

G_BEGIN_DECLS

#define ANNALS_SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define ANNALS_SIGV4_TERMINATOR "aws4_request"

/* The parts of Credential=ID/DATE/REGION/SERVICE/aws4_request. */
enum {
  ANNALS_SIGV4_ACCESS_KEY_ID,
  ANNALS_SIGV4_DATE,
  ANNALS_SIGV4_REGION,
  ANNALS_SIGV4_SERVICE,
  ANNALS_SIGV4_END,
  ANNALS_SIGV4_CREDENTIAL_PARTS,
};

struct annals_sigv4_claim {
  bool presigned;
  char **credential;     /* ANNALS_SIGV4_CREDENTIAL_PARTS texts, none empty */
  char **signed_headers; /* in lower case, in order, each once, at least one */
  char *signature;
  char *timestamp; /* as 20150830T123600Z */
  int64_t signed_at_s;
  int64_t expires_s;   /* how long after that, when presigned */
  char *session_token; /* NULL: none */
  char *payload_hash;  /* X-Amz-Content-Sha256, NULL: none */
};

/*
 * Reads the claim of a request. Memory: the caller clears it.
 * Errors: ANNALS_GATEWAY_ERROR: MISSING_AUTHENTICATION when there is none, INCOMPLETE_SIGNATURE
 *   with what is missing or wrong. Then there is nothing to clear.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_sigv4_claim_read(const struct annals_sigv4_request *request,
                             struct annals_sigv4_claim *ret_claim, GError **error);

void annals_sigv4_claim_clear(struct annals_sigv4_claim *claim);

G_END_DECLS

#endif
