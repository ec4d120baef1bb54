/*
 * Notices clients that will send nothing more.
 *
 * Floor 3, private to the gateway. libmicrohttpd 0.9.75 asks epoll for edges, and takes a read that
 * fills less than its buffer for the last one before the next edge. Where the end of what a client
 * sends is in the socket by then, no other edge comes: half a request would keep its connection for
 * as long as the timeout. So a thread waits for these ends, and shuts the side down from which
 * libmicrohttpd reads. That is an edge each time, and takes away nothing of what has come. It is
 * done again until the connection is closed, which may come before what has come is read.
 *
 * One lock, a leaf. A connection is removed before its socket is closed: the lock keeps the thread
 * from touching what has the same number by then.
 */
#ifndef ANNALS_SERVER_GATEWAY_HALF_CLOSE_H_
#define ANNALS_SERVER_GATEWAY_HALF_CLOSE_H_

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* All private. */
struct annals_half_close {
  pthread_mutex_t lock;
  pthread_t thread;
  int epoll; /* of the connections' sockets, and of the one below */
  int end;   /* an eventfd that ends the thread */
};

/* Starts the thread. Returns false, with nothing to stop, when it or a descriptor is not to be had.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_half_close_start(struct annals_half_close *self);

/* Stops the thread, when there are no connections any more. */
void annals_half_close_stop(struct annals_half_close *self);

/* Takes note of a connection. Where the kernel has no room for that, its timeout ends it. */
void annals_half_close_add(struct annals_half_close *self, int socket);

/* Forgets a connection, whose socket is still open. */
void annals_half_close_remove(struct annals_half_close *self, int socket);

G_END_DECLS

#endif
