/*
 * Following the history of an execution as it grows. Part of annals.h, which includes it; what that
 * header says of errors and memory holds here.
 *
 *   struct annals_client_watch_request request = {.execution_arn = arn};
 *   struct annals_client_watch *watch = annals_client_watch_new(client, &request);
 *   struct annals_client_event event;
 *   while (annals_client_watch_next(watch, -1, &event, &error) && event.data != NULL) { ... }
 *
 * Each event comes once and in order, whatever happens to the connection and the server: where the
 * stream breaks, the watch goes on behind the last event on another one. It tries as often as
 * options.attempts_max says until the server has been reached once, and for options.timeout_ms
 * whenever it was lost later.
 *
 * Threads: a watch belongs to one thread at a time, except for annals_client_watch_cancel().
 */
#ifndef ANNALS_CLIENT_ANNALS_WATCH_H_
#define ANNALS_CLIENT_ANNALS_WATCH_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_client;
struct annals_client_event;

/* What to follow. All zero but the ARN: the history from its first event to its end. */
struct annals_client_watch_request {
  const char *execution_arn;
  int64_t from_event_id;       /* 0: 1 */
  bool without_execution_data; /* no inputs, outputs, parameters and variables */
  bool follow_redrives;        /* stay when the execution has ended */
  int64_t silence_ms;          /* for how long the server may say nothing (it does every 30 s) until
                                  the connection is taken for dead; 0: 90,000 */
};

struct annals_client_watch;

/*
 * Makes a watch. Asks for nothing yet. request is copied.
 *
 * Memory: the client must outlive the watch; the caller frees it with annals_client_watch_free().
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client_watch *annals_client_watch_new(
    struct annals_client *client, const struct annals_client_watch_request *request);

/* Ends the watch. NULL is fine. */
void annals_client_watch_free(struct annals_client_watch *watch);

/*
 * Waits for the next event; event.data is NULL when the history has ended, and again whenever it is
 * asked for after that.
 *
 * Units: timeout_ms is how long to wait; negative: for ever.
 * Memory: *ret_event is a view of an annals.v1.HistoryEvent in canonical bytes, and lives until the
 *   watch is used again.
 * Errors: EXECUTION_DOES_NOT_EXIST (also when it is deleted meanwhile), INVALID_ARN,
 *   INVALID_REQUEST for a from_event_id beyond the next event, DATA_CORRUPTED, INTERNAL, and what
 *   keeps the server from being reached for too long. DEADLINE_EXCEEDED when no event came in time,
 *   CANCELLED. After a failure, calling again goes on where the watch was, but when it is
 * cancelled.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_watch_next(struct annals_client_watch *watch, int64_t timeout_ms,
                              struct annals_client_event *ret_event, GError **error);

/*
 * Has annals_client_watch_next() return CANCELLED, now if it waits, and from now on.
 *
 * Threads: any; the caller sees to it that the watch is not freed meanwhile.
 */
void annals_client_watch_cancel(struct annals_client_watch *watch);

G_END_DECLS

#endif
