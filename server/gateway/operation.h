/*
 * The operations that the gateway offers, one row and one file each.
 *
 * Floor 3, private to the gateway. An operation knows no HTTP: it takes members of a request and
 * makes the text of an answer.
 */
#ifndef ANNALS_SERVER_GATEWAY_OPERATION_H_
#define ANNALS_SERVER_GATEWAY_OPERATION_H_

#include <glib.h>

#include "proto/buffer.h"
#include "server/gateway/request.h"
#include "server/history/history.h"

G_BEGIN_DECLS

/* One run of an operation. The caller zeroes it and sets the first five members. */
struct annals_operation_run {
  struct annals_history *history;
  const struct annals_principal *principal; /* who asks: NULL, or until the run is cleared */
  struct annals_request request;            /* read; stays until the run is cleared */
  void (*on_done)(struct annals_operation_run *run);
  /* Asks for room for so many bytes more of an answer, on the thread that makes it. Returns false
   * when too much is under way: then the run has to end with OVERLOADED. */
  bool (*hold)(struct annals_operation_run *run, size_t bytes);

  void *state; /* the operation's own */

  GError *error;               /* result: NULL, or why there is no answer */
  struct annals_buffer answer; /* result: JSON */
  const char *subject;         /* result, for the log: the ARN that it is about, as given; NULL when
                                  it was not */
  int32_t event_count;         /* result: events in the answer */
};

struct annals_operation {
  const char *name;

  /*
   * Begins. ANNALS_DONE: finish may be called. ANNALS_PENDING: on_done is called once from a thread
   * of the engine, possibly before this has returned, and then finish may be called.
   */
  enum annals_progress (*start)(struct annals_operation_run *run);

  /* Sets error, or fills answer. Not called when start has set error already. */
  void (*finish)(struct annals_operation_run *run);

  /* Frees the state. Called once behind a start. */
  void (*clear)(struct annals_operation_run *run);
};

#define ANNALS_OPERATION_TARGET_PREFIX "AWSStepFunctions."

extern const struct annals_operation annals_operation_get_execution_history;
extern const struct annals_operation annals_operation_describe_execution;
extern const struct annals_operation annals_operation_list_executions;

enum { ANNALS_OPERATION_COUNT = 3 };
extern const struct annals_operation *const annals_operations[ANNALS_OPERATION_COUNT];

/*
 * Finds the operation of an X-Amz-Target, which may be NULL.
 *
 * Errors: ANNALS_GATEWAY_ERROR_UNKNOWN_OPERATION, with the operations that are offered.
 */
G_GNUC_WARN_UNUSED_RESULT
const struct annals_operation *annals_operation_find(const char *target, GError **error);

G_END_DECLS

#endif
