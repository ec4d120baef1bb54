/*
 * Failures as AWS JSON 1.0 has them: {"__type":"PREFIX#Name","message":"…"}.
 *
 * Floor 3, private to the gateway. Those of the domain come from reason.def; those that only a
 * gateway can meet are here.
 */
#ifndef ANNALS_SERVER_GATEWAY_AWS_ERROR_H_
#define ANNALS_SERVER_GATEWAY_AWS_ERROR_H_

#include <glib.h>

#include "proto/buffer.h"
#include "server/history/error.h"

G_BEGIN_DECLS

#define ANNALS_GATEWAY_ERROR (annals_gateway_error_quark())
GQuark annals_gateway_error_quark(void);

enum annals_gateway_error {
  ANNALS_GATEWAY_ERROR_SERIALIZATION,     /* the body is not what the operation takes */
  ANNALS_GATEWAY_ERROR_UNKNOWN_OPERATION, /* target or content type */
  ANNALS_GATEWAY_ERROR_NOT_FOUND,         /* path or method */
  ANNALS_GATEWAY_ERROR_BODY_TOO_LARGE,
  ANNALS_GATEWAY_ERROR_AMBIGUOUS_HTTP, /* http_check.h, and what cannot be read at all */
  ANNALS_GATEWAY_ERROR_HEAD_TOO_LARGE,
  ANNALS_GATEWAY_ERROR_HTTP_VERSION,
  /* sigv4.h */
  ANNALS_GATEWAY_ERROR_MISSING_AUTHENTICATION,
  ANNALS_GATEWAY_ERROR_INCOMPLETE_SIGNATURE,
  ANNALS_GATEWAY_ERROR_UNRECOGNIZED_CLIENT, /* no such access key, or not this session token */
  ANNALS_GATEWAY_ERROR_INVALID_SIGNATURE,   /* or not for here, or not for now */
  ANNALS_GATEWAY_ERROR_EXPIRED_TOKEN,
  ANNALS_GATEWAY_ERROR_COUNT, /* how many there are */
};

/* Gives AWS's name of a failure, without prefix: what is logged. Static. */
const char *annals_aws_error_name(const GError *error);

/* Gives the HTTP status. */
unsigned annals_aws_error_status(const GError *error);

/* Gives the reason of a failure of the domain, as AWS clients meet it: what they cannot is
 * INTERNAL. */
enum annals_reason annals_aws_error_reason(const GError *error);

/* Gives the reason of a failure of the gateway, as it stands in metrics, and its HTTP status.
 * Static. */
const char *annals_gateway_error_reason(enum annals_gateway_error code, unsigned *ret_status);

/*
 * Appends the body. What went wrong inside (5xx) is not told to the client, it is for the log.
 * Bytes that are not UTF-8 come out as U+FFFD.
 */
void annals_aws_error_append(const GError *error, struct annals_buffer *out);

G_END_DECLS

#endif
