/*
 * Failures as gRPC carries them.
 *
 * Floor 3, private to server/rpc. Source: google.rpc's error model (AIP-193).
 */
#ifndef ANNALS_SERVER_RPC_RPC_STATUS_H_
#define ANNALS_SERVER_RPC_RPC_STATUS_H_

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

/*
 * Longest texts in an answer. A client's core refuses more than 8 KiB of metadata, and the message
 * stands in it twice, once percent-encoded.
 */
enum {
  ANNALS_RPC_MESSAGE_BYTES_MAX = 512,
  ANNALS_RPC_DETAIL_BYTES_MAX = 256, /* of each text in the details */
  ANNALS_RPC_DETAILS_BYTES_MAX = 4095,
};

/* Gives the message of an answer, cut at a character. Memory: g_free() it. */
G_GNUC_WARN_UNUSED_RESULT
char *annals_rpc_status_message(const GError *error);

/*
 * Packs a google.rpc.Status with ErrorInfo, RequestInfo with the id that stands in the log, too,
 * BadRequest where fields are at fault and RetryInfo where retrying helps: the value of
 * grpc-status-details-bin, at most ANNALS_RPC_DETAILS_BYTES_MAX long. Texts are cut at a character,
 * and where many long ones do not fit, the last metadata and violations are left out. Memory:
 * g_free() the result.
 */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_rpc_status_details(const GError *error, const char *request_id, size_t *ret_size);

G_END_DECLS

#endif
