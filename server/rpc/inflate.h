/*
 * Unpacking compressed request messages, within a limit.
 *
 * Floor 3, private to server/rpc. The core can do this by itself, but looks at the size only when
 * it is done: a message of 8 MiB may have become 8 GiB by then.
 */
#ifndef ANNALS_SERVER_RPC_INFLATE_H_
#define ANNALS_SERVER_RPC_INFLATE_H_

#include "proto/buffer.h"

G_BEGIN_DECLS

enum annals_inflate_result {
  ANNALS_INFLATE_OK,
  ANNALS_INFLATE_MALFORMED,
  ANNALS_INFLATE_TOO_BIG, /* more than bytes_max */
  ANNALS_INFLATE_NO_MEMORY,
};

/*
 * Unpacks one gzip member (RFC 1952) or zlib stream (RFC 1950), from first byte to last.
 * Memory: the caller clears ret_message, which is set in any case.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_inflate_result annals_inflate(const uint8_t *bytes, size_t size, size_t bytes_max,
                                          struct annals_buffer *ret_message);

G_END_DECLS

#endif
