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

G_BEGIN_DECLS

enum {
  ANNALS_APPEND_EVENTS_MAX = 1000,
  ANNALS_APPEND_BYTES_MAX = 4 * 1024 * 1024, /* of all events together, as they were sent */
  ANNALS_EVENT_BYTES_MAX = 1024 * 1024,      /* of one event, as it was sent */
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
  int64_t settled_seconds;       /* the timestamp it is stored with, once the append knows it */
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

G_END_DECLS

#endif
