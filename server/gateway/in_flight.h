/*
 * What the gateway has under way, and how it comes to an end.
 *
 * Floor 3, private to the gateway. One lock, a leaf: no other is taken while it is held. It is
 * pthread's, because ThreadSanitizer does not see into GLib's.
 *
 *   OPEN ── drain ──► DRAINING ── close, nothing running ──► CLOSED
 *
 * A call is an HTTP request from its head to the last byte of its answer. An operation is what runs
 * in the history for it: it may end on a thread of the engine, and nothing may be torn down before.
 */
#ifndef ANNALS_SERVER_GATEWAY_IN_FLIGHT_H_
#define ANNALS_SERVER_GATEWAY_IN_FLIGHT_H_

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_in_flight {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool draining;
  bool closed;
  int64_t receiving_count;
  int64_t call_count; /* those received */
  int64_t operation_count;
  size_t reply_bytes;
  size_t reply_bytes_max;
};

enum annals_admission { ANNALS_ADMITTED, ANNALS_ADMISSION_FULL, ANNALS_ADMISSION_CLOSED };

void annals_in_flight_init(struct annals_in_flight *in_flight, size_t reply_bytes_max);
void annals_in_flight_clear(struct annals_in_flight *in_flight);

/* Counts a call whose body is still to come. */
void annals_in_flight_begin_call(struct annals_in_flight *in_flight);

/* Has all of a call's body, or will have no more of it. */
void annals_in_flight_call_received(struct annals_in_flight *in_flight);

/* Ends a call that has been received and whose answer had reply_bytes. */
void annals_in_flight_end_call(struct annals_in_flight *in_flight, size_t reply_bytes);

/* Counts an operation when there is room for its answer and the end is not near. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_admission annals_in_flight_begin_operation(struct annals_in_flight *in_flight);

/* Counts as an operation what must not meet the end, unless it has come. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_in_flight_enter(struct annals_in_flight *in_flight);

/* Ends an operation. Where it was the last thing to do, nothing of the gateway may follow. */
void annals_in_flight_end_operation(struct annals_in_flight *in_flight);

/*
 * Counts so many bytes more of an answer that is being made and has held_bytes, when there is room.
 * There is while the *other* answers are below the maximum: one always gets done.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_in_flight_hold(struct annals_in_flight *in_flight, size_t held_bytes,
                           size_t more_bytes);

/* Counts bytes of an answer that is made. Returns whether its connection shall be closed behind it.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_in_flight_add_reply(struct annals_in_flight *in_flight, size_t reply_bytes);

/* Tells how many bytes of answers there are. */
size_t annals_in_flight_reply_bytes(struct annals_in_flight *in_flight);

/* Makes connections be closed behind their answers. */
void annals_in_flight_drain(struct annals_in_flight *in_flight);

/*
 * Waits for timeout_ms until there are no calls; for a second of it at most for those that are not
 * received. Returns whether no operation is under way.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_in_flight_wait(struct annals_in_flight *in_flight, unsigned timeout_ms);

/* Waits until there are no operations, and admits none afterwards. */
void annals_in_flight_close(struct annals_in_flight *in_flight);

G_END_DECLS

#endif
