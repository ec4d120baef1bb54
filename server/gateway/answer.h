/*
 * What the answers of operations have in common: being counted as they grow, and pages.
 *
 * Floor 3, private to the gateway.
 */
#ifndef ANNALS_SERVER_GATEWAY_ANSWER_H_
#define ANNALS_SERVER_GATEWAY_ANSWER_H_

#include "proto/buffer.h"
#include "server/gateway/operation.h"

G_BEGIN_DECLS

/*
 * Asks for room for what a buffer has grown by since it held *held_bytes, which is brought up to
 * date. Many answers may be waiting for the disk, half made. Returns false, the buffer having
 * failed, when too much is under way.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_answer_hold(struct annals_operation_run *run, struct annals_buffer *buffer,
                        size_t *held_bytes);

/* Appends what stands before the item with this index: opening (`{"events":[`), or a comma. */
void annals_answer_begin_item(struct annals_buffer *page, const char *opening, int32_t index);

/*
 * Ends a page of item_count items and makes it the run's answer, or sets the run's error where
 * there was no memory for it. next_token: NULL on the last page.
 */
void annals_answer_finish_page(struct annals_operation_run *run, struct annals_buffer *page,
                               const char *opening, int32_t item_count, const char *next_token);

/* Makes a buffer the run's answer, without copying, or sets the run's error when it has failed. */
void annals_answer_finish(struct annals_operation_run *run, struct annals_buffer *text);

G_END_DECLS

#endif
