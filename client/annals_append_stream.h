/*
 * Appending without waiting for each answer. Part of annals.h, which includes it; what that header
 * says of errors and memory holds here.
 *
 *   struct annals_client_append_stream *stream = annals_client_append_stream_new(client, NULL);
 *   while (there is more to append) {
 *     while (!annals_client_append_stream_has_room(stream)) {
 *       if (!annals_client_append_stream_next(stream, -1, &outcome, &error)) ...
 *     }
 *     if (!annals_client_append_stream_append(stream, &request, tag, &error)) ...
 *   }
 *   if (!annals_client_append_stream_close(stream, -1, &error)) ...
 *   annals_client_append_stream_free(stream);
 *
 * Each append has one outcome, which comes when its events are on disk or it was refused, in the
 * order of the appends. Appends are carried out in that order as far as they are to one execution;
 * those to different executions go on at once, so a stream serves many of them best in turns.
 *
 * Appends that are refused (EVENT_CONFLICT, EVENT_GAP, INVALID_EVENT and the like) change nothing,
 * and the stream goes on: others behind them to the same execution then usually are an EVENT_GAP,
 * as the ids of the first are missing. Who has found what was wrong appends all of them again.
 *
 * Where the connection breaks, the server stops, or an append fails for a while (OVERLOADED,
 * NO_SPACE, OUTCOME_UNKNOWN, ...), another stream is opened and all appends without an outcome are
 * sent again, in their order. That is safe, as stored events are recognised by their ids. So
 * events that are on disk may be told as already_stored_count. It is tried as often as
 * options.attempts_max says until the server has answered once, and for options.timeout_ms from
 * the last outcome on (or from when there was something to append) after that.
 *
 * Threads: an append stream belongs to one thread at a time, except for
 *   annals_client_append_stream_cancel(). It has no thread of its own: appends leave and outcomes
 *   come while one of its functions runs. Several streams of a client share its connection.
 */
#ifndef ANNALS_CLIENT_ANNALS_APPEND_STREAM_H_
#define ANNALS_CLIENT_ANNALS_APPEND_STREAM_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/annals_append.h"

G_BEGIN_DECLS

/* How much is appended at once. An append is in flight until its outcome has been taken. */
struct annals_client_append_stream_options {
  size_t in_flight_max;       /* appends; 0: 64, as many as the server works on at once */
  size_t in_flight_bytes_max; /* of them together, give or take one; 0: 16 MiB */
};

struct annals_client_append_stream;

/*
 * Makes an append stream. options may be NULL. Asks for nothing yet.
 *
 * Memory: the client must outlive the stream; the caller frees it with
 *   annals_client_append_stream_free().
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client_append_stream *annals_client_append_stream_new(
    struct annals_client *client, const struct annals_client_append_stream_options *options);

/* Ends the stream at once: what is in flight may or may not be carried out. NULL is fine. */
void annals_client_append_stream_free(struct annals_client_append_stream *stream);

/* Tells whether another append may be begun: whether less than the options allow is in flight. */
bool annals_client_append_stream_has_room(const struct annals_client_append_stream *stream);

/* Counts the appends in flight. */
size_t annals_client_append_stream_in_flight(const struct annals_client_append_stream *stream);

/*
 * Begins an append. Waits for nothing; tag comes back with its outcome.
 *
 * Memory: the request is copied; tag is the caller's own.
 * Errors: RESOURCE_EXHAUSTED where there is no room: take an outcome first; INVALID_ARGUMENT,
 *   LIMIT_EXCEEDED for a request that is over 8 MiB; CANCELLED; FAILED_PRECONDITION behind
 *   annals_client_append_stream_close(). The append has not begun then, and has no outcome.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_append_stream_append(struct annals_client_append_stream *stream,
                                        const struct annals_client_append_request *request,
                                        void *tag, GError **error);

/* What has come of an append. */
struct annals_client_append_outcome {
  int64_t number;                            /* of the append: the first is 1; 0: no append */
  void *tag;                                 /* as given */
  const GError *error;                       /* NULL: the events are on disk */
  struct annals_client_append_result result; /* without an error */
};

/*
 * Waits for the next outcome; its number is 0 when nothing is in flight.
 *
 * Units: timeout_ms is how long to wait; negative: for ever.
 * Memory: the outcome's error belongs to the stream, and lives until it is used again.
 * Errors: what keeps the server from being reached for too long, and what would fail all appends
 *   alike (UNAUTHENTICATED); DEADLINE_EXCEEDED when no outcome came in time, also in the client's;
 *   CANCELLED. No append has failed by that: calling again goes on, but when it is cancelled.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_append_stream_next(struct annals_client_append_stream *stream,
                                      int64_t timeout_ms,
                                      struct annals_client_append_outcome *ret_outcome,
                                      GError **error);

/*
 * Takes the outcomes of all that is in flight.
 *
 * Units: timeout_ms is how long to wait for all; negative: for ever.
 * Errors: why the first append was refused, if any was: the others' outcomes have been taken all
 *   the same. Else as annals_client_append_stream_next().
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_append_stream_flush(struct annals_client_append_stream *stream,
                                       int64_t timeout_ms, GError **error);

/*
 * Flushes, and ends the stream in good order: nothing more can be appended. Where the flush did not
 * come to its end the stream stays as it is.
 *
 * Errors: as annals_client_append_stream_flush().
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_append_stream_close(struct annals_client_append_stream *stream,
                                       int64_t timeout_ms, GError **error);

/*
 * Has all functions that can fail return CANCELLED, now if they wait, and from now on. What is in
 * flight may or may not be carried out.
 *
 * Threads: any; the caller sees to it that the stream is not freed meanwhile.
 */
void annals_client_append_stream_cancel(struct annals_client_append_stream *stream);

G_END_DECLS

#endif
