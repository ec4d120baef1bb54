/*
 * Spans as OTLP has them on the wire.
 *
 * Floor 1. The messages are those of proto/opentelemetry. Attributes are named as in
 * OpenTelemetry's semantic conventions (rpc.*, http.*, url.*, server.*, error.type, enduser.id),
 * and annals.* where these have none. None has a payload, a token or a secret.
 */
#ifndef ANNALS_SERVER_OTLP_MESSAGE_H_
#define ANNALS_SERVER_OTLP_MESSAGE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/otlp/pairs.h"

G_BEGIN_DECLS

/* Where a transport listens. */
struct annals_otlp_listener {
  char *host; /* NULL: not known */
  int64_t port;
};

/* Who tells. */
struct annals_otlp_origin {
  GArray *resource; /* of struct annals_pair: the resource's attributes */
  struct annals_otlp_listener grpc;
  struct annals_otlp_listener gateway;
  const char *url_scheme; /* http, https: the gateway's */
};

/*
 * Makes an ExportTraceServiceRequest of spans.
 *
 * spans: of struct annals_span. Memory: g_free() the result.
 */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_otlp_message_pack(const struct annals_otlp_origin *origin, const GPtrArray *spans,
                                  size_t *ret_size);

/*
 * Reads an ExportTraceServiceResponse: how many spans were not taken, and why.
 *
 * Returns false for bytes that are none. Memory: ret_message is the caller's; NULL: there is none.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_otlp_message_read(const uint8_t *bytes, size_t size, int64_t *ret_rejected,
                              char **ret_message);

G_END_DECLS

#endif
