/*
 * AWS Signature Version 4: who signed a request.
 *
 * Floor 3, private to the gateway. Pure code over the parts of a request, without HTTP library,
 * clock and files. Both forms are read: the Authorization header, and the query string of a
 * presigned URL. sigv4_claim.h is what a request says of its signature, sigv4_canonical.h what the
 * signature is made of.
 *
 * What a signature covers is method, path, query, the headers that are named as signed, and the
 * body, unless X-Amz-Content-Sha256 says UNSIGNED-PAYLOAD. Signed must be Host, and X-Amz-Target
 * where there is one: it decides what is done. A request may be sent again while its signature is
 * current, as with AWS.
 * Source: AWS's Signature Version 4 documentation and test suite.
 */
#ifndef ANNALS_SERVER_GATEWAY_SIGV4_H_
#define ANNALS_SERVER_GATEWAY_SIGV4_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/history/credentials.h"

G_BEGIN_DECLS

enum {
  ANNALS_SIGV4_SKEW_S = 300,         /* that clocks may differ */
  ANNALS_SIGV4_EXPIRES_MAX = 604800, /* seconds, of a presigned URL */
};

/* One header; blanks around the value do not count. */
struct annals_sigv4_header {
  const char *name;
  const char *value;
};

/* A request: views. */
struct annals_sigv4_request {
  const char *method;
  const char *target;                        /* of the request line as it came, with its query */
  const struct annals_sigv4_header *headers; /* in the order they came, repeats and all */
  size_t header_count;
  const uint8_t *body;
  size_t body_size;
};

/* What signatures are held against. */
struct annals_sigv4_verifier {
  const char *service; /* of the credential scope: `states` */
  const char *region;  /* NULL: any */
  const struct annals_credentials *credentials;
  int64_t now_s; /* since 1970 */
};

/*
 * Finds the principal who signed a request.
 *
 * Memory: *ret_principal belongs to the credentials.
 * Errors: ANNALS_GATEWAY_ERROR: MISSING_AUTHENTICATION, INCOMPLETE_SIGNATURE, UNRECOGNIZED_CLIENT,
 *   INVALID_SIGNATURE, EXPIRED_TOKEN, in this order of precedence, in AWS's words where they are
 *   known.
 * Cost: a body is hashed only for an access key that exists. Memory is a few times the head's.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_sigv4_verify(const struct annals_sigv4_verifier *verifier,
                         const struct annals_sigv4_request *request,
                         const struct annals_principal **ret_principal, GError **error);

G_END_DECLS

#endif
