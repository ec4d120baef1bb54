/*
 * Spans that wait to be exported: so many at most, as a receiver may be slow, or gone.
 *
 * Floor 1. Calls put spans in and never wait; the exporter's thread takes them out, many at a time.
 */
#ifndef ANNALS_SERVER_OTLP_QUEUE_H_
#define ANNALS_SERVER_OTLP_QUEUE_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/otlp/span.h"

G_BEGIN_DECLS

struct annals_span_queue;

/* Makes an empty queue for so many spans. */
struct annals_span_queue *annals_span_queue_new(guint spans_max);
/* Frees the spans in it, too. NULL is fine. */
void annals_span_queue_free(struct annals_span_queue *queue);

/*
 * Puts a span in, and takes it from the caller. Returns false where the queue is full or closed:
 * the span is freed then.
 *
 * Threads: any. Cost: a lock that nobody holds for long.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_span_queue_push(struct annals_span_queue *queue, struct annals_span *span);

/*
 * Waits until there are batch_max spans, or some since linger_us, or the queue is closed; then
 * takes batch_max at most, the oldest first. Returns NULL when it is closed and empty.
 *
 * Memory: the caller frees the array, and the spans with it. Threads: one.
 */
G_GNUC_WARN_UNUSED_RESULT
GPtrArray *annals_span_queue_take(struct annals_span_queue *queue, guint batch_max,
                                  int64_t linger_us);

/* Waits for so long, or until the queue is closed. Returns whether it is. Threads: that of take. */
bool annals_span_queue_wait(struct annals_span_queue *queue, int64_t wait_us);

/* Takes no more spans, and ends all waits. Idempotent. Threads: any. */
void annals_span_queue_close(struct annals_span_queue *queue);

/* Tells how many spans are in it. Threads: any. */
guint annals_span_queue_length(struct annals_span_queue *queue);

G_END_DECLS

#endif
