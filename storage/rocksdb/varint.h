/*
 * Numbers and texts as RocksDB writes them into its files.
 *
 *   number  seven bits a byte, the lowest first; all bytes but the last have their top bit set
 *   text    its size, a number, and its bytes
 */
#ifndef ANNALS_STORAGE_ROCKSDB_VARINT_H_
#define ANNALS_STORAGE_ROCKSDB_VARINT_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

/* A view of bytes. */
struct annals_text {
  const uint8_t *bytes;
  size_t size;
};

/* Take one from the front of rest; false: there is none. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_varint_take(struct annals_text *rest, uint64_t *ret_number);
G_GNUC_WARN_UNUSED_RESULT
bool annals_varint_take_text(struct annals_text *rest, struct annals_text *ret_text);

G_END_DECLS

#endif
