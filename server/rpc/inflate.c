#include "server/rpc/inflate.h"

#include <zlib.h>

enum {
  PIECE_BYTES = 64 * 1024,
  EITHER_FORMAT = 32, /* added to the window's bits: gzip or zlib, whichever it is */
};

/* Unpacks until the stream ends or bytes_max is passed. Returns zlib's verdict. */
static int unpack(z_stream *stream, size_t bytes_max, struct annals_buffer *message) {
  int verdict = Z_OK;
  while (verdict == Z_OK && message->len <= bytes_max) {
    uint8_t *to = annals_buffer_reserve(message, PIECE_BYTES);
    if (to == NULL) {
      return Z_MEM_ERROR;
    }
    stream->next_out = to;
    stream->avail_out = PIECE_BYTES;
    verdict = inflate(stream, Z_NO_FLUSH);
    message->len += PIECE_BYTES - stream->avail_out;
  }
  return verdict;
}

enum annals_inflate_result annals_inflate(const uint8_t *bytes, size_t size, size_t bytes_max,
                                          struct annals_buffer *ret_message) {
  z_stream stream = {
      .next_in = (Bytef *)bytes,
      .avail_in = (uInt)size,
  };
  annals_buffer_init(ret_message, bytes_max + 2 * (size_t)PIECE_BYTES);
  if (size > G_MAXUINT || inflateInit2(&stream, MAX_WBITS + EITHER_FORMAT) != Z_OK) {
    return ANNALS_INFLATE_NO_MEMORY;
  }
  int verdict = unpack(&stream, bytes_max, ret_message);
  bool whole = verdict == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (verdict == Z_MEM_ERROR) {
    return ANNALS_INFLATE_NO_MEMORY;
  }
  if (ret_message->len > bytes_max) {
    return ANNALS_INFLATE_TOO_BIG;
  }
  return whole ? ANNALS_INFLATE_OK : ANNALS_INFLATE_MALFORMED;
}
