/*
 * The events of one append, checked and in canonical form.
 *
 * Floor 2.
 */
#ifndef ANNALS_SERVER_HISTORY_BATCH_H_
#define ANNALS_SERVER_HISTORY_BATCH_H_

#include "proto/buffer.h"
#include "proto/canonical.h"
#include "proto/schema.h"
#include "server/history/event_cipher.h"
#include "server/history/execution_record.h"

G_BEGIN_DECLS

enum {
  ANNALS_APPEND_EVENTS_MAX = 1000,
  ANNALS_APPEND_BYTES_MAX = 4 * 1024 * 1024, /* of all events together, as they were sent */
  ANNALS_EVENT_BYTES_MAX = 1024 * 1024,      /* of one event, as it was sent */
  /* Canonical forms are hardly ever longer than what was sent; framing adds a few bytes to each. */
  ANNALS_BATCH_FRAMES_BYTES_MAX = 2 * ANNALS_APPEND_BYTES_MAX,
};

/* One event as a client serialised it: a view. */
struct annals_event_bytes {
  const uint8_t *bytes;
  size_t size;
};

/* One event of a batch. */
struct annals_batch_event {
  struct annals_event_head head; /* as the client gave it */
  size_t offset;                 /* of its frame in the batch's bytes */
  size_t size;                   /* of the frame */
  size_t rest_size;              /* of what follows the timestamp, at the frame's end */
  enum annals_status status;     /* what it makes of its execution */
  int64_t settled_seconds;       /* the timestamp it is stored with, once settled */
  int32_t settled_nanos;
};

/* The events of an append; ids are contiguous. */
struct annals_batch {
  struct annals_buffer frames; /* framed, with the timestamps that the client gave */
  size_t event_count;
  struct annals_batch_event *events;
};

/*
 * Checks events and brings them into canonical form.
 *
 * Errors: INVALID_REQUEST, INVALID_EVENT and LIMIT_EXCEEDED, the last two naming event_index and
 *   field; OVERLOADED when memory is short. Then there is no batch.
 * Memory: the caller frees the batch. The events are not referred to any more.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_batch *annals_batch_new(const struct annals_schema *schema,
                                      const struct annals_event_bytes *events, size_t event_count,
                                      GError **error);

void annals_batch_free(struct annals_batch *batch);

/* Gives the bytes of an event behind its timestamp; events[i].rest_size tells how many. */
const uint8_t *annals_batch_rest(const struct annals_batch *batch, size_t i);

/* Compares timestamps: negative, 0 or positive, as a is before, at or after b. */
int annals_event_head_compare_times(const struct annals_event_head *a,
                                    const struct annals_event_head *b);

/*
 * Settles the timestamps of the events from first on: one left out becomes the later of now and the
 * one before it, one before the one before it is raised to that.
 *
 * before is the history's last event, all zero where there is none. *ret_raised is how many were
 * raised. Returns whether all are as given: then the batch's own frames are what is to be stored.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_batch_settle(struct annals_batch *batch, size_t first,
                         const struct annals_event_head *before, int64_t now_ms, int *ret_raised);

/* Appends the frames of the events from first on, with their settled timestamps. */
void annals_batch_compose(const struct annals_batch *batch, size_t first,
                          struct annals_buffer *out);

/* The same, encrypted: with more bytes than the limits of what was sent tell. Returns false when
 * memory is short. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_batch_encrypt(const struct annals_batch *batch, size_t first,
                          struct annals_event_cipher *cipher, struct annals_buffer *out);

/* Tells whether any event from first on changes the status of the execution. */
bool annals_batch_changes_status(const struct annals_batch *batch, size_t first);

/* Takes the events from first on into an execution: its status and times. */
void annals_batch_apply(const struct annals_batch *batch, size_t first,
                        struct annals_execution *execution);

G_END_DECLS

#endif
