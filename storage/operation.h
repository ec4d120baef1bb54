/*
 * What the operations of a store have in common: how they run, and how they end.
 *
 * Floor 1.
 *
 * How an operation runs: the caller fills a request, keeps it and everything it points to alive and
 * unchanged, and calls the operation.
 *   ANNALS_STORE_DONE     the result is in the request; on_done is not called.
 *   ANNALS_STORE_PENDING  on_done is called once, later, on a thread of the engine or of another
 *                         caller, never before the operation has returned. It must be quick: no
 *                         blocking, no disk, no sockets. The request belongs to the caller again
 *                         when on_done is called.
 */
#ifndef ANNALS_STORAGE_OPERATION_H_
#define ANNALS_STORAGE_OPERATION_H_

#include <glib.h>

G_BEGIN_DECLS

/* How an operation ended. */
enum annals_store_outcome {
  ANNALS_STORE_OK = 0,
  ANNALS_STORE_NOT_FOUND,   /* no such execution */
  ANNALS_STORE_CONFLICT,    /* the history does not end where the write expected */
  ANNALS_STORE_CORRUPT,     /* stored data is damaged; detail says which */
  ANNALS_STORE_NO_SPACE,    /* refused before writing: the disk is nearly full */
  ANNALS_STORE_UNAVAILABLE, /* nothing was done: writes have stopped, or the engine is closing */
  ANNALS_STORE_UNKNOWN,     /* a write may or may not have happened */
  ANNALS_STORE_BUSY,        /* one such operation is under way, and there may be no other */
  ANNALS_STORE_REFUSED,     /* what is asked for is not allowed; detail says why */
  ANNALS_STORE_FAILED,      /* something beside the store's own data failed; detail says what */
};

enum annals_store_progress { ANNALS_STORE_DONE, ANNALS_STORE_PENDING };

enum { ANNALS_STORE_DETAIL_BYTES = 512 };

/*
 * What all requests have in common. Zero it before use; the caller sets on_done and owner.
 */
struct annals_store_op {
  void (*on_done)(struct annals_store_op *op);
  void *owner; /* the caller's own */

  enum annals_store_outcome outcome;      /* result */
  char detail[ANNALS_STORE_DETAIL_BYTES]; /* result: one line for the log when outcome is CORRUPT,
                                             UNAVAILABLE, UNKNOWN, REFUSED or FAILED, else "" */

  gint handoff;  /* the engine's: see storage/handoff.h */
  void *scratch; /* the engine's */
};

G_END_DECLS

#endif
