/*
 * The vtable that every storage engine implements.
 *
 * Floor 1. A store keeps, for each execution ARN, a history (events with contiguous ids from 1, as
 * bytes that it never looks into) and a record (bytes that it never looks into), and lists of
 * executions. It knows nothing of event types, validation, tokens or transports.
 *
 * A list has a name, and an execution stands in it at a rank; with the entry stands the execution's
 * record, so that a listing needs nothing else. Which lists there are is the caller's matter: it
 * names old and new places when it puts a record. An engine that cannot change history and lists
 * in one step changes the history first, and its listings may lag behind.
 *
 * An execution that is deleted may be begun anew, with another history. No operation mixes the two:
 * a read that meets the deletion, or what came after it, ends with NOT_FOUND, whatever it has
 * handed over.
 * Nothing above this header may assume that a call is local or instant, that a write's outcome is
 * always known, or that two executions can change in one step.
 * Threads: every operation but close may be called from any thread at any time.
 */
#ifndef ANNALS_STORAGE_STORE_H_
#define ANNALS_STORAGE_STORE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/data_key.h"
#include "storage/listing.h"
#include "storage/maintenance.h"
#include "storage/operation.h"
#include "storage/shared_frames.h"
#include "storage/statistics.h"

G_BEGIN_DECLS

/* What the engine says of itself. */
enum annals_store_health {
  ANNALS_STORE_HEALTHY,
  ANNALS_STORE_FULL,           /* reads and deletions go on, appends answer NO_SPACE */
  ANNALS_STORE_WRITES_STOPPED, /* reads go on, writes answer UNAVAILABLE until a restart */
};

/* A view of contiguous framed events (frame.h), first_id to last_id. */
struct annals_run {
  int64_t first_id;
  int64_t last_id;
  const uint8_t *frames;
  size_t frames_bytes;
  struct annals_shared_frames *shared; /* NULL, or what the view is of: with a reference to it the
                                          frames may be used when the view is gone */
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
  uint64_t moment;    /* result, >= 1: when this was so */
};

/* Gets the record of an execution. */
struct annals_store_get {
  struct annals_store_op op;
  const char *arn;
  GBytes *record; /* result; the caller unrefs it */
};

/*
 * Appends events behind the last one, and puts a record with its places in lists if one is given;
 * all or nothing. Acked with OK only when durable.
 */
struct annals_store_append {
  struct annals_store_op op;
  const char *arn;
  int64_t expected_last_id; /* 0: the execution does not exist. Anything else than the id the
                               history ends with: CONFLICT */
  uint64_t since;           /* 0, or the moment that the tail told: CONFLICT where the execution was
                               deleted, or a data key of it put, since then; seldom where not */
  const uint8_t *frames;    /* the events, framed, ids from expected_last_id + 1 */
  size_t frames_bytes;
  int32_t event_count; /* >= 1, the number of frames */
  bool seal;           /* the history is likely complete: lay it out for reading */
  const uint8_t *record;
  size_t record_bytes; /* 0: the record and its places stay as they are */
  /* With a record: all places where the execution stands, and all where it stands from now on. A
   * place may be among both; in neither is one twice. Untrue old ones leave lists damaged. */
  const struct annals_store_place *old_places;
  size_t old_place_count;
  const struct annals_store_place *new_places;
  size_t new_place_count;
  struct annals_store_data_key data_key; /* new with the events; ordinal 0: none is */

  int64_t last_id; /* result of OK and CONFLICT: where the history ends now (0: no execution) */
};

/*
 * Deletes an execution: history, record, places, data keys, all or nothing. OK only when durable.
 *
 * A full disk does not refuse it as long as it does appends: deletions are what makes room.
 */
struct annals_store_delete {
  struct annals_store_op op;
  const char *arn;
  int64_t expected_last_id; /* >= 1. Anything else than the id the history ends with: CONFLICT. So
                               is an execution that was deleted and begun anew since the call,
                               whatever it ends with. */
  const struct annals_store_place *places; /* all where it stands, as old_places */
  size_t place_count;
  const uint8_t *record; /* what its record is, which tells the places: of another one, as of an
                            execution that was begun anew before the call, CONFLICT. NULL: any. */
  size_t record_bytes;

  int64_t last_id; /* result of CONFLICT: where the history ends */
};

struct annals_store;

/* The operations of an engine. Those that say so may be NULL. */
struct annals_store_ops {
  const char *name;
  enum annals_store_progress (*read)(struct annals_store *store, struct annals_store_read *read);
  enum annals_store_progress (*tail)(struct annals_store *store, struct annals_store_tail *tail);
  enum annals_store_progress (*get)(struct annals_store *store, struct annals_store_get *get);
  enum annals_store_progress (*append)(struct annals_store *store,
                                       struct annals_store_append *append);
  /* `delete` is a keyword of C++. */
  enum annals_store_progress (*delete_execution)(struct annals_store *store,
                                                 struct annals_store_delete *deletion);
  enum annals_store_progress (*list)(struct annals_store *store, struct annals_store_list *list);
  enum annals_store_health (*health)(struct annals_store *store);
  /* Waits for operations under way, then frees the store. */
  void (*close)(struct annals_store *store);

  /* Those of maintenance.h and statistics.h; may be NULL. */
  enum annals_store_progress (*backup)(struct annals_store *store,
                                       struct annals_store_backup *backup);
  enum annals_store_progress (*verify)(struct annals_store *store,
                                       struct annals_store_verify *verify);
  void (*statistics)(struct annals_store *store, const struct annals_store_figures *figures);

  /* Those of data_key.h; may be NULL: no history of this store is encrypted. */
  enum annals_store_progress (*get_data_key)(struct annals_store *store,
                                             struct annals_store_get_data_key *get);
  enum annals_store_progress (*put_data_key)(struct annals_store *store,
                                             struct annals_store_put_data_key *put);
};

/* An open store: the first member of every engine's own struct. */
struct annals_store {
  const struct annals_store_ops *ops;
};

G_END_DECLS

#endif
