/*
 * Keys of the column family `history`.
 *
 *   run     ARN  00  kind  last id (8 bytes, big-endian)  first id (8 bytes, big-endian)
 *   marker  ARN  00  'B'   ff ff ff ff ff ff ff ff
 *   data    ARN  00  'W'   ordinal (8 bytes, big-endian)
 *
 * kind is 'B' for a sealed run and 'T' for one of the open tail. In key order an execution is: its
 * sealed runs, ascending; the marker, which says that it exists; its tail; the records of its data
 * keys, if it is encrypted.
 *   The last id comes first, so that one forward seek to (kind, id) lands on the run that holds id.
 *   The marker ends a scan of sealed runs before it walks over what was deleted from the tail.
 *   An ARN holds no NUL, so no execution's keys fall between those of another whose ARN is a
 * prefix.
 *   The value of a run is its frames. That of the marker is its birth: RocksDB's sequence number
 * just before the batch that began the history, 8 bytes, big-endian. It tells one history under an
 * ARN from another that came after a deletion.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_KEY_H_
#define ANNALS_STORAGE_ROCKSDB_KEY_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_key_kind {
  ANNALS_KEY_SEALED = 'B',
  ANNALS_KEY_OPEN = 'T',
  ANNALS_KEY_BEHIND = 'U', /* no key has it: the upper bound of an execution's events */
  ANNALS_KEY_DATA = 'W',   /* of a data key: what reads events never comes by it */
};

enum {
  ANNALS_KEY_PREFIX_EXTRA = 2, /* NUL and kind */
  ANNALS_KEY_SEEK_EXTRA = ANNALS_KEY_PREFIX_EXTRA + 8,
  ANNALS_KEY_RUN_EXTRA = ANNALS_KEY_SEEK_EXTRA + 8,
};

/* What a key says. */
struct annals_key {
  enum annals_key_kind kind;
  bool marker;
  int64_t first_id; /* of a run, else 0 */
  int64_t last_id;  /* of a data key: its ordinal */
};

/*
 * Write ARN NUL kind, or more of a key, and return its size: arn_size plus the _EXTRA of the same
 * name. Memory: buffer has room for that.
 */
size_t annals_key_put_prefix(uint8_t *buffer, const char *arn, size_t arn_size,
                             enum annals_key_kind kind);
size_t annals_key_put_seek(uint8_t *buffer, const char *arn, size_t arn_size,
                           enum annals_key_kind kind, int64_t id);
size_t annals_key_put_run(uint8_t *buffer, const char *arn, size_t arn_size,
                          const struct annals_key *key);
size_t annals_key_put_marker(uint8_t *buffer, const char *arn, size_t arn_size);
/* The same of a data key, by its ordinal: as long as a seek key. */
size_t annals_key_put_data(uint8_t *buffer, const char *arn, size_t arn_size, int64_t ordinal);

/* Write and read the value of a marker. One of another size says 0. */
enum { ANNALS_BIRTH_BYTES = 8 };
void annals_birth_put(uint8_t *buffer, uint64_t birth);
uint64_t annals_birth_parse(const uint8_t *bytes, size_t size);

/* Reads a key of the execution with this ARN. Returns false when it is not one. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_key_parse(const uint8_t *bytes, size_t size, const char *arn, size_t arn_size,
                      struct annals_key *ret_key);

G_END_DECLS

#endif
