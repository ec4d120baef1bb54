/*
 * The threads that run jobs which may wait for the disk, in the order in which they come.
 *
 * Floor 1. GLib's pool wakes a thread while it holds the lock that this one needs first: on a busy
 * processor each job would cost two changes of threads more.
 *
 * Threads: any may push; one lock, a leaf.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_WORKERS_H_
#define ANNALS_STORAGE_ROCKSDB_WORKERS_H_

#include <glib.h>

G_BEGIN_DECLS

struct annals_job;
struct annals_workers;

/* Starts so many threads, each of which calls run for a job that was pushed. Errors: as
 * annals_rocksdb_open. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_workers *annals_workers_start(int count, void (*run)(struct annals_job *job),
                                            GError **error);

/* Runs what was pushed, and ends the threads. NULL is fine. */
void annals_workers_stop(struct annals_workers *workers);

/* Frees them once they have stopped, and so has whoever pushed: push wakes a thread when its job
 * may be done already. NULL is fine. */
void annals_workers_free(struct annals_workers *workers);

/* Hands a job over. Memory: its link is the queue's until it is run. */
void annals_workers_push(struct annals_workers *workers, struct annals_job *job);

/* How many jobs wait for a thread. */
guint annals_workers_waiting(struct annals_workers *workers);

G_END_DECLS

#endif
