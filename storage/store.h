/*
 * The vtable that every storage engine implements.
 *
 * Floor 1. A store keeps, for each execution ARN, a history (events with contiguous ids from 1, as
 * bytes that it never looks into) and a record (bytes that it never looks into). It knows nothing
 * of event types, validation, tokens or transports.
 *
 * Nothing above this header may assume that a call is local or instant, that a write's outcome is
 * always known, or that two executions can change in one step.
 *
 * How an operation runs: the caller fills a request, keeps it and everything it points to alive and
 * unchanged, and calls the operation.
 *   ANNALS_STORE_DONE     the result is in the request; on_done is not called.
 *   ANNALS_STORE_PENDING  on_done is called once, later, on a thread of the engine or of another
 *                         caller, never before the operation has returned. It must be quick: no
 *                         blocking, no disk, no sockets. The request belongs to the caller again
 *                         when on_done is called.
 *
 * Threads: every operation but close may be called from any thread at any time.
 */
#ifndef ANNALS_STORAGE_STORE_H_
#define ANNALS_STORAGE_STORE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

/* How an operation ended. */
enum annals_store_outcome {
  ANNALS_STORE_OK = 0,
  ANNALS_STORE_NOT_FOUND,   /* no such execution */
  ANNALS_STORE_CONFLICT,    /* the history does not end where the append expected */
  ANNALS_STORE_CORRUPT,     /* stored data is damaged; detail says which */
  ANNALS_STORE_NO_SPACE,    /* refused before writing: the disk is nearly full */
  ANNALS_STORE_UNAVAILABLE, /* nothing was done: writes have stopped, or the engine is closing */
  ANNALS_STORE_UNKNOWN,     /* a write may or may not have happened */
};

enum annals_store_progress { ANNALS_STORE_DONE, ANNALS_STORE_PENDING };

/* What the engine says of itself. */
enum annals_store_health {
  ANNALS_STORE_HEALTHY,
  ANNALS_STORE_FULL,           /* reads go on, appends answer NO_SPACE */
  ANNALS_STORE_WRITES_STOPPED, /* reads go on, appends answer UNAVAILABLE until a restart */
};

enum { ANNALS_STORE_DETAIL_BYTES = 160 };

/*
 * What all requests have in common. Zero it before use; the caller sets on_done and owner.
 */
struct annals_store_op {
  void (*on_done)(struct annals_store_op *op);
  void *owner; /* the caller's own */

  enum annals_store_outcome outcome;      /* result */
  char detail[ANNALS_STORE_DETAIL_BYTES]; /* result: one line for the log when outcome is CORRUPT,
                                             UNAVAILABLE or UNKNOWN, else "" */

  gint handoff;  /* the engine's: see storage/handoff.h */
  void *scratch; /* the engine's */
};

/* A view of contiguous framed events (frame.h), first_id to last_id. */
struct annals_run {
  int64_t first_id;
  int64_t last_id;
  const uint8_t *frames;
  size_t frames_bytes;
};

/*
 * Reads a history run by run, upwards from from_id or downwards to 1.
 *
 * The first run holds from_id, perhaps not as its first or last event: the caller skips what it did
 * not ask for. Runs follow each other without gaps; in a reverse read each has its events in
 * ascending order all the same. What was durable when the read began is seen; what is appended
 * meanwhile may be.
 */
struct annals_store_read {
  struct annals_store_op op;
  const char *arn;
  int64_t from_id; /* >= 1. Forward: the lowest id wanted. Reverse: the highest; INT64_MAX for the
                      end. Beyond the end: forward, no run comes; reverse, as INT64_MAX. */
  bool reverse;

  /*
   * Takes one run; the view dies when it returns. Returns whether to go on. Called on the caller's
   * thread or the engine's, never on two at once, before the operation is done.
   */
  bool (*on_run)(struct annals_store_read *read, const struct annals_run *run);
};

/* Tells where a history ends. */
struct annals_store_tail {
  struct annals_store_op op;
  const char *arn;
  int64_t last_id;    /* result */
  GBytes *last_event; /* result: the last event's frame; the caller unrefs it */
};

/* Gets the record of an execution. */
struct annals_store_get {
  struct annals_store_op op;
  const char *arn;
  GBytes *record; /* result; the caller unrefs it */
};

/*
 * Appends events behind the last one, and puts a record if one is given; both or neither. Acked
 * with OK only when durable.
 */
struct annals_store_append {
  struct annals_store_op op;
  const char *arn;
  int64_t expected_last_id; /* 0: the execution does not exist. Anything else than the id the
                               history ends with: CONFLICT */
  const uint8_t *frames;    /* the events, framed, ids from expected_last_id + 1 */
  size_t frames_bytes;
  int32_t event_count; /* >= 1, the number of frames */
  bool seal;           /* the history is likely complete: lay it out for reading */
  const uint8_t *record;
  size_t record_bytes; /* 0: the record stays as it is */

  int64_t last_id; /* result of OK and CONFLICT: where the history ends now (0: no execution) */
};

struct annals_store;

typedef enum annals_store_progress annals_store_read_f(struct annals_store *store,
                                                       struct annals_store_read *read);
typedef enum annals_store_progress annals_store_tail_f(struct annals_store *store,
                                                       struct annals_store_tail *tail);
typedef enum annals_store_progress annals_store_get_f(struct annals_store *store,
                                                      struct annals_store_get *get);
typedef enum annals_store_progress annals_store_append_f(struct annals_store *store,
                                                         struct annals_store_append *append);
typedef enum annals_store_health annals_store_health_f(struct annals_store *store);
typedef void annals_store_close_f(struct annals_store *store);

/* The operations of an engine. All are required. */
struct annals_store_ops {
  const char *name;
  annals_store_read_f *read;
  annals_store_tail_f *tail;
  annals_store_get_f *get;
  annals_store_append_f *append;
  annals_store_health_f *health;
  annals_store_close_f *close; /* waits for operations under way, then frees the store */
};

/* An open store: the first member of every engine's own struct. */
struct annals_store {
  const struct annals_store_ops *ops;
};

G_END_DECLS

#endif
