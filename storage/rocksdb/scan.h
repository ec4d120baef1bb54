/*
 * All keys of a column family, one after the other: also behind blocks that cannot be read.
 *
 * Where an iterator meets such a block, the fault is told, and the scan goes on at the first key
 * that can be read again, found by seeking keys that are farther and farther from the last one.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_SCAN_H_
#define ANNALS_STORAGE_ROCKSDB_SCAN_H_

#include "storage/rocksdb/verification.h"

G_BEGIN_DECLS

struct annals_scan {
  struct annals_verification *verification;
  enum annals_family family;
  rocksdb_iterator_t *iterator;
  const uint8_t *key; /* NULL: the end; a view that dies at the next step */
  size_t key_size;
  const uint8_t *value;
  size_t value_size;
  GByteArray *last; /* the last key that was read, or told of */
  uint64_t holes;   /* how often keys may have been passed over */
};

/* Opens a scan at no key. */
void annals_scan_open(struct annals_scan *scan, struct annals_verification *verification,
                      enum annals_family family);
void annals_scan_close(struct annals_scan *scan);

/* Move to the first key, to the first that is not before this one, and to the next. */
void annals_scan_first(struct annals_scan *scan);
void annals_scan_seek(struct annals_scan *scan, const uint8_t *key, size_t size);
void annals_scan_next(struct annals_scan *scan);

G_END_DECLS

#endif
