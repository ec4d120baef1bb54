/*
 * What lasts where streams break: which stream there is now, who has cancelled it all, and when to
 * try again. Watches and append streams each have one. Private to the library.
 *
 * Threads: one at a time, except for annals_client_session_cancel().
 */
#ifndef ANNALS_CLIENT_SESSION_H_
#define ANNALS_CLIENT_SESSION_H_

#include <pthread.h>

#include "client/annals.h"
#include "client/stream.h"

G_BEGIN_DECLS

struct annals_client_session {
  struct annals_client *client;
  int attempts_max;
  int64_t timeout_us;
  bool reached;     /* the server, once */
  int64_t since_us; /* since when the server has been away, if it is */
  int failures;     /* since it was reached */
  int64_t retry_us; /* not before */

  pthread_mutex_t lock; /* of what follows; the stream itself is the session's thread's */
  pthread_cond_t changed;
  struct annals_client_stream *stream; /* NULL: none */
  bool cancelled;
};

void annals_client_session_init(struct annals_client_session *session,
                                struct annals_client *client);
void annals_client_session_clear(struct annals_client_session *session);

/* Puts a stream, or NULL, in the place of the one before, which it ends and frees. */
void annals_client_session_set_stream(struct annals_client_session *session,
                                      struct annals_client_stream *stream);

/* Ends it all. Threads: any; the caller sees to it that the session is there. */
void annals_client_session_cancel(struct annals_client_session *session);
bool annals_client_session_is_cancelled(struct annals_client_session *session);

/* Waits until then, or for the cancellation. Units: of the monotonic clock. */
void annals_client_session_wait(struct annals_client_session *session, int64_t until_us);

/* Notes that the server has been reached: from now on its being away counts. */
void annals_client_session_prove(struct annals_client_session *session);

/*
 * Takes the error of a stream that has broken, and plans to try again: as often as the client's
 * attempts_max says until the server has been reached, and for its timeout_ms from since_us on when
 * it was. A cancelled session breaks without an error.
 *
 * Errors: why, where trying again does not help or has taken too long. The session begins anew
 *   then.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_session_lose(struct annals_client_session *session, GError *why, GError **error);

G_END_DECLS

#endif
