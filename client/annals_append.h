/*
 * Appending events to histories. Part of annals.h, which includes it; what that header says of
 * threads, retries, errors and memory holds here.
 */
#ifndef ANNALS_CLIENT_ANNALS_APPEND_H_
#define ANNALS_CLIENT_ANNALS_APPEND_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "annals/v1/history_event.pb-c.h"
#include "annals/v1/history_service.pb-c.h"

G_BEGIN_DECLS

struct annals_client;

/* Limits of the server on one append. */
enum {
  ANNALS_CLIENT_APPEND_EVENTS_MAX = 1000,
  ANNALS_CLIENT_APPEND_BYTES_MAX = 4 << 20, /* of all events together */
  ANNALS_CLIENT_EVENT_BYTES_MAX = 1 << 20,
};

/* A view of one event, serialised as annals.v1.HistoryEvent. */
struct annals_client_event {
  const uint8_t *data;
  size_t size;
};

/* What to append: ids are contiguous, the first event of a history is ExecutionStarted, id 1. */
struct annals_client_append_request {
  const char *execution_arn;
  size_t event_count;
  /* One of the two is set, with event_count elements. */
  const Annals__V1__HistoryEvent *const *events;
  const struct annals_client_event *event_bytes;
  /* What the first append of a history may tell and later ones may repeat; NULL or 0: nothing. */
  const char *state_machine_arn;
  const char *map_run_arn;
  int32_t item_count;
  const char *trace_header;
  const Annals__V1__EncryptionConfiguration *encryption;
};

struct annals_client_append_result {
  int64_t last_event_id;            /* of the history */
  int32_t appended_count;           /* events that were new */
  int32_t already_stored_count;     /* events stored before, equal to these */
  int32_t adjusted_timestamp_count; /* timestamps raised to the previous event's */
};

/*
 * Appends events to the history of one execution, all or none. Success means they are on disk.
 *
 * Errors: INVALID_ARN, INVALID_REQUEST, INVALID_EVENT, LIMIT_EXCEEDED, EVENT_CONFLICT, EVENT_GAP,
 *   NO_SPACE, WRITES_STOPPED, OUTCOME_UNKNOWN, OVERLOADED, DRAINING, INTERNAL; of encrypted
 *   histories also KMS_ACCESS_DENIED, KMS_INVALID_STATE, KMS_THROTTLED, KMS_UNAVAILABLE and
 *   KMS_NOT_CONFIGURED. After a deadline or a broken connection it is unknown whether the events
 *   are stored: repeat the append.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_append(struct annals_client *client,
                          const struct annals_client_append_request *request,
                          struct annals_client_append_result *ret_result, GError **error);

G_END_DECLS

#endif
