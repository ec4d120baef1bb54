/*
 * What the operations of the engine run in: who is inside, jobs, and jobs that wait for a tail.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_JOB_H_
#define ANNALS_STORAGE_ROCKSDB_JOB_H_

#include "storage/rocksdb/engine.h"

G_BEGIN_DECLS

/* Begins an operation. Returns false with the result set when the engine is closing. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_engine_begin(struct annals_engine *engine, struct annals_store_op *op);

/* Ends the caller's part of an operation: with its result in place, or of one that has a job. The
 * engine may be gone behind either. */
enum annals_store_progress annals_engine_done(struct annals_engine *engine);
enum annals_store_progress annals_engine_submit(struct annals_engine *engine,
                                                struct annals_store_op *op);

/* Sets the outcome that goes with the status; detail is used for failures. Not on a thread that
 * must not wait for the disk, if the status comes from there. */
void annals_engine_set_status(struct annals_engine *engine, struct annals_store_op *op,
                              enum annals_status status, const char *detail);

struct annals_reader annals_engine_reader(struct annals_engine *engine, enum annals_tier tier);

/* Makes the job of an operation that is inside. Memory: gone when it is finished. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_job *annals_job_new(struct annals_engine *engine, struct annals_store_op *op);

/* Completes the operation with the result it has. */
void annals_job_finish(struct annals_job *job);

/* Passes the job to a worker, which calls run. */
void annals_job_push(struct annals_job *job, void (*run)(struct annals_job *job));

/* What workers do with a job that was pushed. */
void annals_job_run(struct annals_job *job);

/*
 * Calls ready once the tail of arn is there, pinned for the job as job->entry; on failure completes
 * the operation. ready runs on this thread or a worker, and unpins the entry or hands it on.
 */
void annals_job_need_tail(struct annals_job *job, const char *arn,
                          void (*ready)(struct annals_job *job));

/*
 * Runs a job that takes long on a thread of its own, so that no worker is kept from others. False:
 * there is no thread to be had, as the operation's outcome says; the job is still to be finished.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_job_run_apart(struct annals_job *job, void *(*run)(void *job));

/* Unpins the job's entry and completes the operation. */
void annals_job_finish_with_tail(struct annals_job *job);

G_END_DECLS

#endif
