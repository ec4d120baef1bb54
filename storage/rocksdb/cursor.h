/*
 * A place in one execution's keys: a RocksDB iterator with bounds, that reads the keys it comes to.
 *
 * One cursor is one consistent view: RocksDB's iterator is an implicit snapshot.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_CURSOR_H_
#define ANNALS_STORAGE_ROCKSDB_CURSOR_H_

#include <glib.h>
#include <rocksdb/c.h>

#include "storage/rocksdb/key.h"
#include "storage/rocksdb/status.h"
#include "storage/store.h"

G_BEGIN_DECLS

/* How far a read may go. */
enum annals_tier {
  ANNALS_TIER_CACHE, /* memory only; INCOMPLETE when that does not do */
  ANNALS_TIER_AHEAD, /* from the disk, forward, with some of what follows; INCOMPLETE where many
                        deleted keys are in the way */
  ANNALS_TIER_DISK,
  ANNALS_TIER_DISK_ONCE, /* leaves nothing in the cache: for what will not be read again */
};

/* Has a read go that far and no farther. */
void annals_tier_apply(enum annals_tier tier, rocksdb_readoptions_t *options);

enum annals_place {
  ANNALS_PLACE_END, /* behind, or before, all keys of the execution */
  ANNALS_PLACE_SEALED,
  ANNALS_PLACE_MARKER,
  ANNALS_PLACE_OPEN,
  ANNALS_PLACE_FAILED, /* status and detail tell */
};

struct annals_cursor {
  const char *arn;
  size_t arn_size;
  enum annals_place place;
  struct annals_run run; /* at SEALED and OPEN; a view that dies at the next move */
  uint64_t birth;        /* at MARKER */
  enum annals_status status;
  char detail[ANNALS_STORE_DETAIL_BYTES];

  rocksdb_readoptions_t *options;
  rocksdb_iterator_t *iterator;
  uint8_t *keys; /* the bounds, to which options point, and the key to seek */
};

/* Opens a cursor at no place. Memory: arn outlives it. */
void annals_cursor_open(struct annals_cursor *cursor, rocksdb_t *db,
                        rocksdb_column_family_handle_t *history, const char *arn,
                        enum annals_tier tier);
void annals_cursor_close(struct annals_cursor *cursor);

/* Move, and return the new place. seek goes to the first run of that kind that ends at id or above,
 * or to what follows where it would stand. */
enum annals_place annals_cursor_seek(struct annals_cursor *cursor, enum annals_key_kind kind,
                                     int64_t id);
enum annals_place annals_cursor_seek_marker(struct annals_cursor *cursor);
enum annals_place annals_cursor_next(struct annals_cursor *cursor);
/* Moves from the marker to the first open run, which holds id; or to what follows where it would
 * stand. Cost: less than a seek, unless the tail has been sealed so lately that its deleted keys
 * are still there. */
enum annals_place annals_cursor_next_open(struct annals_cursor *cursor, enum annals_tier tier,
                                          int64_t id);
enum annals_place annals_cursor_prev(struct annals_cursor *cursor);

/* Fails the cursor: the run it stands at, or what should be there, is damaged. Returns FAILED. */
enum annals_place annals_cursor_fail(struct annals_cursor *cursor, const char *what);

/* Checks that the run's frames are as many as its key says. Returns false having failed. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_cursor_check_frames(struct annals_cursor *cursor);

G_END_DECLS

#endif
