/*
 * Reads one history: run by run, its end, or whether it is there.
 *
 * A read may take two passes, the first in memory only. Its state remembers how far the first came;
 * the second goes on there with a view of its own, in which the open tail that the first one was in
 * may have been sealed: what was handed over already is cut off.
 *
 * The execution may also have been deleted between the passes, and begun anew. The second pass
 * takes it for another one if it was born behind begun: that is exact for what was there when the
 * read began, and what is born in the moment before the first pass has its view is not there yet.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_READER_H_
#define ANNALS_STORAGE_ROCKSDB_READER_H_

#include "storage/rocksdb/cursor.h"
#include "storage/rocksdb/memory_odds.h"
#include "storage/rocksdb/run_cache.h"
#include "storage/rocksdb/tail.h"

G_BEGIN_DECLS

/* Where to read, and how far to go for it. */
struct annals_reader {
  rocksdb_t *db;
  rocksdb_column_family_handle_t *history;
  enum annals_tier tier;
  struct annals_run_visit *visit;         /* of the history that is read; NULL: only RocksDB is */
  struct annals_memory_odds *odds;        /* NULL: RocksDB is asked whatever they are */
  char detail[ANNALS_STORE_DETAIL_BYTES]; /* result of a failure */
};

/* Zero it, and set next_id to the read's from_id, and begun. */
struct annals_read_state {
  int64_t next_id; /* the next id to hand over; 0 in reverse: none is left */
  bool delivered;  /* a run has been handed over */
  uint64_t begun;  /* RocksDB's sequence number before the first pass */
};

/*
 * Reads until the end, until on_run has enough, or until the tier does not do, or is not worth
 * asking (INCOMPLETE).
 *
 * Cost: of runs that are kept a lookup for each. Of others, forward one seek, a step per run, and a
 * seek to the tail; in reverse a seek per run, because stepping backwards costs RocksDB ten times
 * as much.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_status annals_reader_pass(struct annals_reader *reader, struct annals_store_read *read,
                                      struct annals_read_state *state);

/*
 * Loads the end of a history. An execution that does not exist is OK with an empty tail.
 *
 * Memory: the caller clears ret_tail on OK.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_status annals_reader_load_tail(struct annals_reader *reader, const char *arn,
                                           struct annals_tail *ret_tail);

/* Tells whether an execution exists: OK with its birth, NOT_FOUND, INCOMPLETE or a failure. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_status annals_reader_find(struct annals_reader *reader, const char *arn,
                                      uint64_t *ret_birth);

G_END_DECLS

#endif
