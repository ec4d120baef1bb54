#include "storage/rocksdb/crc32c.h"

#include <pthread.h>
#include <string.h>

enum { SLICES = 8, BYTE_VALUES = 256, BITS = 8, MASK_ROTATE = 15 };

static const uint32_t POLYNOMIAL = 0x82f63b78; /* reflected */
static const uint32_t MASK_DELTA = 0xa282ead8;

/* Of a byte that has so many bytes behind it in a step of eight. */
static uint32_t tables[SLICES][BYTE_VALUES];
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static void make_tables(void) {
  for (uint32_t value = 0; value < BYTE_VALUES; value++) {
    uint32_t crc = value;
    for (int bit = 0; bit < BITS; bit++) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
    }
    tables[0][value] = crc;
  }
  for (int slice = 1; slice < SLICES; slice++) {
    for (int value = 0; value < BYTE_VALUES; value++) {
      uint32_t crc = tables[slice - 1][value];
      tables[slice][value] = (crc >> BITS) ^ tables[0][crc & 0xff];
    }
  }
}

static uint32_t step_of_eight(uint32_t crc, const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  word = GUINT64_FROM_LE(word) ^ crc;
  uint32_t next = 0;
  for (int i = 0; i < SLICES; i++) {
    next ^= tables[SLICES - 1 - i][(word >> (BITS * i)) & 0xff];
  }
  return next;
}

uint32_t annals_crc32c_extend(uint32_t crc, const uint8_t *bytes, size_t size) {
  pthread_once(&tables_made, make_tables);
  crc = ~crc;
  for (; size >= SLICES; bytes += SLICES, size -= SLICES) {
    crc = step_of_eight(crc, bytes);
  }
  for (size_t i = 0; i < size; i++) {
    crc = (crc >> BITS) ^ tables[0][(crc ^ bytes[i]) & 0xff];
  }
  return ~crc;
}

uint32_t annals_crc32c_mask(uint32_t crc) {
  return ((crc >> MASK_ROTATE) | (crc << (32 - MASK_ROTATE))) + MASK_DELTA;
}
