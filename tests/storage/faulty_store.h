/*
 * A store that wraps another and goes wrong on demand. For tests of what stands on store.h.
 *
 *   struct annals_store *store = annals_faulty_store_new(inner);
 *   annals_faulty_store_inject(store, &(struct annals_fault){
 *       .operations = ANNALS_FAULTY_APPEND, .skip = 2, .times = 1,
 *       .outcome = ANNALS_STORE_UNKNOWN, .done = true});
 *
 * Without a fault it answers as the inner store does. Three more things make it a harder engine:
 *   always pending: every operation answers PENDING, and is completed on the wrapper's own thread,
 *                   which also calls on_run and on_entry;
 *   held:           that thread stands still until it is let go, so that a test can look at what
 *                   goes on while an operation is under way;
 *   kept:           operations of a set answer PENDING and do not begin, while others overtake
 * them.
 *
 * Memory: close closes the inner store too. Threads: all functions may be called from any thread.
 */
#ifndef ANNALS_TESTS_STORAGE_FAULTY_STORE_H_
#define ANNALS_TESTS_STORAGE_FAULTY_STORE_H_

#include "storage/store.h"

G_BEGIN_DECLS

/* Sets of operations. */
enum {
  ANNALS_FAULTY_READ = 1 << 0,
  ANNALS_FAULTY_TAIL = 1 << 1,
  ANNALS_FAULTY_GET = 1 << 2,
  ANNALS_FAULTY_APPEND = 1 << 3,
  ANNALS_FAULTY_DELETE = 1 << 4,
  ANNALS_FAULTY_LIST = 1 << 5,
  ANNALS_FAULTY_GET_DATA_KEY = 1 << 6,
  ANNALS_FAULTY_PUT_DATA_KEY = 1 << 7,
  ANNALS_FAULTY_ALL = (1 << 8) - 1,
};

struct annals_fault {
  unsigned operations;               /* which it hits */
  int skip;                          /* so many of these pass first */
  int times;                         /* it hits so many; then it is over. -1: all */
  enum annals_store_outcome outcome; /* what the operation answers; not OK */
  bool done;                         /* a write is done all the same (UNKNOWN) */
  int runs; /* a read hands over at most so many runs first, a listing entries */
};

/* Makes a wrapper that is transparent. */
struct annals_store *annals_faulty_store_new(struct annals_store *inner);

/* Sets the fault, in place of any before. NULL: none. */
void annals_faulty_store_inject(struct annals_store *store, const struct annals_fault *fault);

/* Returns how many operations any fault has hit so far. */
int annals_faulty_store_hits(struct annals_store *store);

/* Returns how many operations it was asked for so far, of those in the set. */
int annals_faulty_store_calls(struct annals_store *store, unsigned operations);

/* Makes all operations from now on PENDING, or not. */
void annals_faulty_store_set_pending(struct annals_store *store, bool pending);

/* Stops the thread that completes pending operations, or lets it go on. close lets it go on. */
void annals_faulty_store_set_held(struct annals_store *store, bool held);

/* Keeps the operations of a set from now on, and lets go of all others. close lets all go. */
void annals_faulty_store_keep(struct annals_store *store, unsigned operations);

/* Makes health answer this; without, it is the inner store's. */
void annals_faulty_store_set_health(struct annals_store *store, enum annals_store_health health);

G_END_DECLS

#endif
