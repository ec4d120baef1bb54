/*
 * A history followed live: first what is stored, then each append as it commits.
 *
 * Floor 2. A watch is pulled: the caller asks for the next events when it can use them, and who
 * does not ask is not waited for. So a slow caller catches up from the store, and nothing is queued
 * for it; one that waits costs memory alone.
 */
#ifndef ANNALS_SERVER_HISTORY_WATCH_H_
#define ANNALS_SERVER_HISTORY_WATCH_H_

#include "proto/buffer.h"
#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/decryptor.h"
#include "server/history/history.h"
#include "server/history/watchers.h"
#include "storage/frame.h"

G_BEGIN_DECLS

enum {
  ANNALS_WATCH_BYTES = 64 * 1024, /* of events at a time, unless one alone is bigger */
  ANNALS_WATCH_BUFFER_BYTES_MAX = 2 * 1024 * 1024,
};

/* What is asked for, and by whom. */
struct annals_watch_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  const char *execution_arn;                /* NULL: absent */
  int64_t from_event_id;                    /* the first one wanted; 0: 1 */
  bool follow_redrives;                     /* goes on behind a terminal event */
};

struct annals_watch;

/*
 * Appends an event to watch->events in the form the caller wants. Returns false when the event is
 * damaged or the buffer has failed.
 */
typedef bool annals_watch_encode_f(struct annals_watch *watch, const struct annals_frame *frame);

/* One watch, and what comes of it. Zero it before use. */
struct annals_watch {
  struct annals_watch_request request; /* its texts stay until the watch is cleared */
  annals_watch_encode_f *encode;
  void (*on_read)(struct annals_watch *watch);   /* what was READING is there */
  void (*on_change)(struct annals_watch *watch); /* what was WAITING is over; under a lock */
  void *owner;                                   /* the caller's own */
  const struct annals_cancel *cancel;            /* whether anybody waits; NULL: always */

  GError *error; /* result of DONE: NULL, or why the watch has failed */
  struct annals_buffer
      events;          /* result of EVENTS: what encode made of them; the caller's to empty */
  int32_t event_count; /* result of EVENTS */

  /* Private from here on. */
  struct annals_history *history;
  struct annals_watcher watcher;
  struct annals_watch_version version; /* before the last read began */
  struct annals_store_read read;
  struct annals_store_tail tail;
  struct annals_decryptor decryptor; /* lets go of its keys with each batch of events */
  int step;
  int64_t next_id; /* the first id that has not been given */
  bool ends_here;  /* the event before next_id is a terminal one */
  bool knows_end;  /* whether that is known */
  bool has_more;   /* the last read did not come to the end of the history */
  bool damaged;
  bool abandoned;
};

enum annals_watch_progress {
  ANNALS_WATCH_EVENTS,  /* there are some: go on with annals_watch_next when they are used up */
  ANNALS_WATCH_READING, /* on_read is called once, from a thread of the engine, possibly before
                           this has returned: go on then, not before */
  ANNALS_WATCH_WAITING, /* on_change is called once, unless the watch is cleared: go on then */
  ANNALS_WATCH_DONE,    /* with error, or because the history has ended */
};

/*
 * Begins a watch.
 *
 * Errors (of this and of annals_watch_next): INVALID_REQUEST, INVALID_ARN, PERMISSION_DENIED,
 *         EXECUTION_DOES_NOT_EXIST, also when it is deleted, those of key_fetch.h where events are
 *         encrypted, DATA_CORRUPTED, OVERLOADED; CANCELLED
 *         and DEADLINE_EXCEEDED when nobody waits.
 * Memory: the caller clears the watch, not while it is READING.
 * Cost:   events in the cache are read on the calling thread.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_watch_progress annals_watch_begin(struct annals_history *history,
                                              struct annals_watch *watch);

/* Goes on. Threads: one at a time. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_watch_progress annals_watch_next(struct annals_watch *watch);

/*
 * Has the watch go on for what its principal has become. On failure it should be ended.
 * Errors: PERMISSION_DENIED.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_watch_set_principal(struct annals_watch *watch,
                                const struct annals_principal *principal, GError **error);

/* Ends the watch and frees what it holds. A zeroed one is fine. */
void annals_watch_clear(struct annals_watch *watch);

G_END_DECLS

#endif
