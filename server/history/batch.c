#include "server/history/batch.h"

#include "annals/v1/history_event.pb-c.h"
#include "proto/wire.h"
#include "server/history/error.h"
#include "storage/frame.h"

enum {
  NANOS_MAX = 999999999,
  EXECUTION_REDRIVEN = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_REDRIVEN,
  EXECUTION_STARTED = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_STARTED,
};

static const int64_t seconds_max = 253402300799; /* 9999-12-31T23:59:59Z */

/* Fails with the event's index and the field in the metadata and as a violation. */
static bool refuse(GError **error, enum annals_reason reason, size_t index, const char *field,
                   const char *text, size_t limit) {
  g_autofree char *path =
      g_strdup_printf("events[%zu]%s%s", index, *field != '\0' ? "." : "", field);
  GError *failure = annals_error_new(reason, "%s %s", path, text);
  annals_error_add_metadata(failure, "event_index", "%zu", index);
  annals_error_add_metadata(failure, "field", "%s", field);
  if (limit != 0) {
    annals_error_add_metadata(failure, "limit", "%zu", limit);
  }
  annals_error_add_violation(failure, path, NULL, text);
  g_propagate_error(error, failure);
  return false;
}

static bool invalid(GError **error, size_t index, const char *field, const char *text) {
  return refuse(error, ANNALS_REASON_INVALID_EVENT, index, field, text, 0);
}

static bool over_limit(GError **error, const char *what, size_t limit) {
  g_autofree char *text =
      g_strdup_printf("holds more than %zu %s, the most that one append may hold", limit, what);
  GError *failure = annals_error_new(ANNALS_REASON_LIMIT_EXCEEDED, "events %s", text);
  annals_error_add_metadata(failure, "field", "events");
  annals_error_add_metadata(failure, "limit", "%zu", limit);
  annals_error_add_violation(failure, "events", NULL, text);
  g_propagate_error(error, failure);
  return false;
}

static bool check_sizes(const struct annals_event_bytes *events, size_t event_count,
                        GError **error) {
  if (event_count == 0) {
    GError *failure = annals_error_new(ANNALS_REASON_INVALID_REQUEST, "events is empty");
    annals_error_add_metadata(failure, "field", "events");
    annals_error_add_violation(failure, "events", NULL, "Member must hold at least 1 event");
    g_propagate_error(error, failure);
    return false;
  }
  if (event_count > ANNALS_APPEND_EVENTS_MAX) {
    return over_limit(error, "events", ANNALS_APPEND_EVENTS_MAX);
  }
  size_t total = 0;
  for (size_t i = 0; i < event_count; i++) {
    if (events[i].size > ANNALS_EVENT_BYTES_MAX) {
      g_autofree char *text = g_strdup_printf("is %zu bytes long; at most %d are allowed",
                                              events[i].size, ANNALS_EVENT_BYTES_MAX);
      return refuse(error, ANNALS_REASON_LIMIT_EXCEEDED, i, "", text, ANNALS_EVENT_BYTES_MAX);
    }
    total += events[i].size;
  }
  if (total > ANNALS_APPEND_BYTES_MAX) {
    return over_limit(error, "bytes", ANNALS_APPEND_BYTES_MAX);
  }
  return true;
}

/* previous: the event before it in the batch; NULL for the first. */
static bool check_ids(const struct annals_event_head *head,
                      const struct annals_event_head *previous, size_t index, GError **error) {
  if (head->id < 1) {
    return invalid(error, index, "id", "must be at least 1");
  }
  if (previous != NULL && head->id - 1 != previous->id) {
    return invalid(error, index, "id", "does not follow the id of the event before it");
  }
  if (head->previous_event_id < 0 || head->previous_event_id >= head->id) {
    return invalid(error, index, "previous_event_id", "must be at least 0 and less than id");
  }
  if (head->id == 1 && head->type != EXECUTION_STARTED) {
    return invalid(error, index, "type",
                   "must be ExecutionStarted: the first event of a history creates the execution");
  }
  return true;
}

static bool check_type(const struct annals_schema *schema, struct annals_batch_event *event,
                       size_t index, GError **error) {
  const struct annals_event_head *head = &event->head;
  const struct annals_event_type *type = annals_schema_type(schema, head->type);
  if (type == NULL) {
    return invalid(error, index, "type",
                   head->type == 0 ? "is required" : "is not a known event type");
  }
  if (head->details != 0 && head->details != type->details) {
    const struct annals_field *details =
        annals_message_field(annals_schema_event(schema), head->details);
    g_autofree char *text =
        g_strdup_printf("does not belong to an event of type %s", type->aws_name);
    return invalid(error, index, details->name, text);
  }
  event->status = type->status;
  return true;
}

static bool check_timestamp(const struct annals_event_head *head, size_t index, GError **error) {
  if (head->has_timestamp && (head->seconds < 0 || head->seconds > seconds_max || head->nanos < 0 ||
                              head->nanos > NANOS_MAX)) {
    return invalid(error, index, "timestamp",
                   "must be within the years 1970 to 9999, with nanos from 0 to 999,999,999");
  }
  return true;
}

static bool canonicalize(const struct annals_schema *schema, const struct annals_event_bytes *event,
                         size_t index, struct annals_batch *batch, GError **error) {
  struct annals_batch_event *to = &batch->events[index];
  struct annals_event_fault fault;
  to->offset = batch->frames.len;
  if (!annals_canonical_append(schema, event->bytes, event->size, &batch->frames, &to->head,
                               &fault)) {
    if (fault.kind == ANNALS_FAULT_RESOURCES) {
      return annals_error_set(error, ANNALS_REASON_OVERLOADED, "no memory for this append");
    }
    bool limit = fault.kind == ANNALS_FAULT_LIMIT;
    return refuse(error, limit ? ANNALS_REASON_LIMIT_EXCEEDED : ANNALS_REASON_INVALID_EVENT, index,
                  fault.field, fault.text, fault.limit);
  }
  to->rest_size = batch->frames.len - to->offset - to->head.timestamp_size;
  annals_wire_wrap(&batch->frames, to->offset, ANNALS_FRAME_TAG >> 3);
  to->size = batch->frames.len - to->offset;
  if (batch->frames.failed) {
    return annals_error_set(error, ANNALS_REASON_OVERLOADED, "no memory for this append");
  }
  return true;
}

struct annals_batch *annals_batch_new(const struct annals_schema *schema,
                                      const struct annals_event_bytes *events, size_t event_count,
                                      GError **error) {
  if (!check_sizes(events, event_count, error)) {
    return NULL;
  }
  struct annals_batch *batch = g_new0(struct annals_batch, 1);
  annals_buffer_init(&batch->frames, ANNALS_BATCH_FRAMES_BYTES_MAX);
  batch->events = g_new0(struct annals_batch_event, event_count);
  batch->event_count = event_count;
  bool ok = true;
  for (size_t i = 0; ok && i < event_count; i++) {
    const struct annals_event_head *head = &batch->events[i].head;
    const struct annals_event_head *previous = i > 0 ? &batch->events[i - 1].head : NULL;
    ok = canonicalize(schema, &events[i], i, batch, error) && check_ids(head, previous, i, error) &&
         check_type(schema, &batch->events[i], i, error) && check_timestamp(head, i, error);
  }
  if (!ok) {
    annals_batch_free(batch);
    return NULL;
  }
  return batch;
}

void annals_batch_free(struct annals_batch *batch) {
  if (batch != NULL) {
    annals_buffer_clear(&batch->frames);
    g_free(batch->events);
    g_free(batch);
  }
}

const uint8_t *annals_batch_rest(const struct annals_batch *batch, size_t i) {
  const struct annals_batch_event *event = &batch->events[i];
  return batch->frames.data + event->offset + event->size - event->rest_size;
}

int annals_event_head_compare_times(const struct annals_event_head *a,
                                    const struct annals_event_head *b) {
  if (a->seconds != b->seconds) {
    return a->seconds < b->seconds ? -1 : 1;
  }
  return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

/* now, at millisecond precision as AWS has it, unless before is later. */
static void set_now(struct annals_event_head *head, const struct annals_event_head *before,
                    int64_t now_ms) {
  head->seconds = now_ms / 1000;
  head->nanos = (int32_t)(now_ms % 1000) * 1000000;
  if (annals_event_head_compare_times(head, before) < 0) {
    head->seconds = before->seconds;
    head->nanos = before->nanos;
  }
}

bool annals_batch_settle(struct annals_batch *batch, size_t first,
                         const struct annals_event_head *before, int64_t now_ms, int *ret_raised) {
  struct annals_event_head last = *before;
  bool as_given = true;
  int raised = 0;
  for (size_t i = first; i < batch->event_count; i++) {
    struct annals_event_head head = batch->events[i].head;
    if (!head.has_timestamp) {
      set_now(&head, &last, now_ms);
      as_given = false;
    } else if (annals_event_head_compare_times(&head, &last) < 0) {
      head.seconds = last.seconds;
      head.nanos = last.nanos;
      raised++;
      as_given = false;
    }
    batch->events[i].settled_seconds = head.seconds;
    batch->events[i].settled_nanos = head.nanos;
    last = head;
  }
  *ret_raised = raised;
  return as_given;
}

void annals_batch_compose(const struct annals_batch *batch, size_t first,
                          struct annals_buffer *out) {
  for (size_t i = first; i < batch->event_count; i++) {
    const struct annals_batch_event *event = &batch->events[i];
    size_t start = out->len;
    annals_canonical_append_timestamp(out, event->settled_seconds, event->settled_nanos);
    annals_buffer_append(out, annals_batch_rest(batch, i), event->rest_size);
    annals_wire_wrap(out, start, ANNALS_FRAME_TAG >> 3);
  }
}

bool annals_batch_encrypt(const struct annals_batch *batch, size_t first,
                          struct annals_event_cipher *cipher, struct annals_buffer *out) {
  struct annals_buffer plain;
  bool ok = true;
  annals_buffer_init(&plain, ANNALS_BATCH_FRAMES_BYTES_MAX);
  for (size_t i = first; ok && i < batch->event_count; i++) {
    const struct annals_batch_event *event = &batch->events[i];
    annals_buffer_reset(&plain);
    annals_canonical_append_timestamp(&plain, event->settled_seconds, event->settled_nanos);
    annals_buffer_append(&plain, annals_batch_rest(batch, i), event->rest_size);
    ok = !plain.failed &&
         annals_event_cipher_encrypt(cipher, event->head.id, plain.data, plain.len, out);
  }
  annals_buffer_clear(&plain);
  return ok;
}

bool annals_batch_changes_status(const struct annals_batch *batch, size_t first) {
  for (size_t i = first; i < batch->event_count; i++) {
    if (batch->events[i].status != ANNALS_STATUS_UNCHANGED) {
      return true;
    }
  }
  return false;
}

void annals_batch_apply(const struct annals_batch *batch, size_t first,
                        struct annals_execution *execution) {
  for (size_t i = first; i < batch->event_count; i++) {
    const struct annals_batch_event *event = &batch->events[i];
    if (event->status != ANNALS_STATUS_UNCHANGED) {
      annals_execution_apply(execution, &(struct annals_status_change){
                                            .status = event->status,
                                            .redrive = event->head.type == EXECUTION_REDRIVEN,
                                            .event_id = event->head.id,
                                            .seconds = event->settled_seconds,
                                            .nanos = event->settled_nanos,
                                        });
    }
  }
}
