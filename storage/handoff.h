/*
 * The handshake between the thread that submits an operation and the one that finishes it.
 *
 * Floor 1. For engines. It keeps store.h's promise that on_done is not called before the operation
 * has returned, without a lock: whichever of the two threads comes second completes the operation.
 *
 *             annals_store_op_begin
 *                      |
 *                   RUNNING
 *        return /              \ finish
 *        RETURNED                FINISHED
 *           | finish                | return
 *        on_done is called       the operation answers DONE
 *
 * The submitter touches neither the operation nor anything that may die with it behind
 * annals_store_op_return: on_done may run while it is still on its way out.
 */
#ifndef ANNALS_STORAGE_HANDOFF_H_
#define ANNALS_STORAGE_HANDOFF_H_

#include "storage/store.h"

G_BEGIN_DECLS

/* Resets what the engine owns of an operation: outcome OK, no detail, nobody there yet. */
void annals_store_op_begin(struct annals_store_op *op);

/* Ends the submitter's part. The operation returns what this returns. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_store_progress annals_store_op_return(struct annals_store_op *op);

/*
 * Ends the finisher's part, with the result in place. Calls on_done unless the submitter has yet to
 * return.
 *
 * Threads: any, the submitter's too. Once per operation.
 */
void annals_store_op_finish(struct annals_store_op *op);

G_END_DECLS

#endif
