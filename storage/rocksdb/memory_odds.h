/*
 * Whether to ask RocksDB's memory before a worker is asked to read the disk.
 *
 * Floor 1. The first pass of a read costs an iterator and a seek, and where it finds nothing the
 * second one pays for both again. So when it has found nothing for many reads in a row, only some
 * still make it, until one finds what it wants: a store that is read at random, or has just been
 * started, has little else to do.
 *
 * Threads: any; no lock.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_MEMORY_ODDS_H_
#define ANNALS_STORAGE_ROCKSDB_MEMORY_ODDS_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

enum {
  /* So many in a row: one in some dozens, at most, is likely to be there. */
  ANNALS_MEMORY_ODDS_LONG = 64,
  /* Of these one in so many asks: what gets warm is noticed before the next so many reads. */
  ANNALS_MEMORY_ODDS_ONE_IN = 8,
};

/* Zero it before use. */
struct annals_memory_odds {
  guint missed; /* atomic: in a row, those that did not ask among them */
};

/* Tells whether a read is to ask. One that is not counts as missed. */
bool annals_memory_odds_ask(struct annals_memory_odds *odds);

/* Takes note of what asking came to. */
void annals_memory_odds_note(struct annals_memory_odds *odds, bool found);

G_END_DECLS

#endif
