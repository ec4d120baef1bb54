#include "storage/rocksdb/varint.h"

enum { BITS = 7, BYTES_MAX = 10, TOP_BIT = 0x80 };

bool annals_varint_take(struct annals_text *rest, uint64_t *ret_number) {
  uint64_t number = 0;
  for (size_t i = 0; i < BYTES_MAX && i < rest->size; i++) {
    uint8_t byte = rest->bytes[i];
    number |= (uint64_t)(byte & ~TOP_BIT) << (BITS * i);
    if ((byte & TOP_BIT) == 0) {
      rest->bytes += i + 1;
      rest->size -= i + 1;
      *ret_number = number;
      return true;
    }
  }
  return false;
}

bool annals_varint_take_text(struct annals_text *rest, struct annals_text *ret_text) {
  uint64_t size;
  if (!annals_varint_take(rest, &size) || size > rest->size) {
    return false;
  }
  *ret_text = (struct annals_text){rest->bytes, (size_t)size};
  rest->bytes += size;
  rest->size -= size;
  return true;
}
