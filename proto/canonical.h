/*
 * The one form in which an event is stored, compared and served.
 *
 * Floor 1. However a client serialises an event, its canonical form is the same: fields in the
 * order of their numbers, zeros and empty strings dropped, repeated singular fields and split
 * sub-messages merged as protobuf prescribes, map entries sorted by key and unique.
 */
#ifndef ANNALS_PROTO_CANONICAL_H_
#define ANNALS_PROTO_CANONICAL_H_

#include "proto/buffer.h"
#include "proto/schema.h"

G_BEGIN_DECLS

enum annals_event_fault_kind {
  ANNALS_FAULT_NONE,
  ANNALS_FAULT_INVALID,   /* bytes or values that an event cannot have */
  ANNALS_FAULT_LIMIT,     /* a length over the model's; limit says which */
  ANNALS_FAULT_RESOURCES, /* out's maximum or memory */
};

/* What is wrong with an event. */
struct annals_event_fault {
  enum annals_event_fault_kind kind;
  char field[160]; /* path within the event, such as `state_entered_event_details.name`; "": the
                      event itself */
  char text[120];  /* what is wrong with it */
  size_t limit;    /* LIMIT: bytes allowed */
};

/* What the domain needs to know of an event; everything else stays bytes. */
struct annals_event_head {
  int64_t id;
  int64_t previous_event_id;
  int64_t type;
  uint32_t details; /* number of the oneof's member, 0: none is set */
  bool has_timestamp;
  int64_t seconds;
  int32_t nanos;
  size_t timestamp_size; /* the canonical form's first bytes: the whole timestamp field */
};

/*
 * Appends the canonical form of an event to out. event may be NULL where size is 0.
 *
 * Errors: returns false with *ret_fault filled in for unknown fields and wire types, malformed
 *   bytes, invalid UTF-8, NUL characters, and lengths over the model's. Whether values make sense
 *   together is the domain's matter.
 * Cost: one pass, memory bounded by the event's size times 32. Where it cannot be had, the event
 *   fails and not the process.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_canonical_append(const struct annals_schema *schema, const uint8_t *event, size_t size,
                             struct annals_buffer *out, struct annals_event_head *ret_head,
                             struct annals_event_fault *ret_fault);

/* Reads the head of an event in canonical form. Returns false when it is not one. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_canonical_head(const struct annals_schema *schema, const uint8_t *event, size_t size,
                           struct annals_event_head *ret_head);

/* Appends a timestamp as the first field of a canonical event. */
void annals_canonical_append_timestamp(struct annals_buffer *out, int64_t seconds, int32_t nanos);

G_END_DECLS

#endif
