/*
 * Runs what may be slow, or never come back, on a thread of its own: for a disk that does not
 * answer.
 *
 * Floor 1. Who asks waits a bounded time, and does without what is not there by then.
 */
#ifndef ANNALS_SERVER_OPS_SAMPLER_H_
#define ANNALS_SERVER_OPS_SAMPLER_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_sampler;

/*
 * Starts the thread, which calls sample when it is asked to.
 *
 * Memory: context must outlive the sampler. The caller frees it.
 * Errors: G_FILE_ERROR, when no thread can be had.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_sampler *annals_sampler_new(void (*sample)(void *context), void *context,
                                          GError **error);

/* Waits until sample does not run any more, ends the thread and frees. NULL is fine. */
void annals_sampler_free(struct annals_sampler *sampler);

/*
 * Has sample called, and waits until it has returned, but no longer than until timeout_ms after it
 * was called: who asks while it hangs does not wait. Returns how long ago the last one that has
 * returned was called, in microseconds; -1: none has.
 *
 * Threads: any.
 */
int64_t annals_sampler_run(struct annals_sampler *sampler, int timeout_ms);

G_END_DECLS

#endif
