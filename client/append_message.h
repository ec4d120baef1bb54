/*
 * An append as it is on the wire, alone and on a stream. Private to the library.
 */
#ifndef ANNALS_CLIENT_APPEND_MESSAGE_H_
#define ANNALS_CLIENT_APPEND_MESSAGE_H_

#include "client/annals.h"
#include "proto/buffer.h"

G_BEGIN_DECLS

/*
 * Serialises an AppendHistoryEventsRequest.
 *
 * Memory: the caller clears *ret_bytes, or hands its bytes on; not after a failure.
 * Errors: LIMIT_EXCEEDED when the transport would not take it.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_append_pack(const struct annals_client_append_request *request,
                               struct annals_buffer *ret_bytes, GError **error);

/* Reads an AppendHistoryEventsResponse. Errors: INTERNAL when it is none. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_append_unpack(const uint8_t *bytes, size_t size,
                                 struct annals_client_append_result *ret_result, GError **error);

G_END_DECLS

#endif
