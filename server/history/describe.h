/*
 * What is told of one execution.
 *
 * Floor 2. Source of the members and of the redrive rule: AWS's model of DescribeExecution.
 */
#ifndef ANNALS_SERVER_HISTORY_DESCRIBE_H_
#define ANNALS_SERVER_HISTORY_DESCRIBE_H_

#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/decryptor.h"
#include "server/history/execution_record.h"
#include "server/history/history.h"

G_BEGIN_DECLS

/* What is asked for, and by whom. */
struct annals_describe_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  const char *execution_arn;                /* NULL: absent */
  const char *included_data; /* AWS's name of an annals.v1.IncludedData (enum_name.h); NULL: all */
};

/*
 * Whether an execution can be redriven: until 14 days after it has failed, timed out or been
 * aborted; an execution of a map run only by redriving that one.
 */
enum annals_redrive_status {
  ANNALS_REDRIVE_STATUS_REDRIVABLE = 1, /* numbers of annals.v1.ExecutionRedriveStatus */
  ANNALS_REDRIVE_STATUS_NOT_REDRIVABLE,
  ANNALS_REDRIVE_STATUS_REDRIVABLE_BY_MAP_RUN,
};

/*
 * One description being made, and the result. Zero it before use.
 *
 * All of it tells of one moment, also while events are appended. Members that neither the events
 * nor the first append tell are absent: NULL or, in execution, "".
 */
struct annals_describe {
  struct annals_describe_request request;
  void (*on_done)(struct annals_describe *describe);
  void *owner;                        /* the caller's own */
  const struct annals_cancel *cancel; /* whether anybody waits; NULL: always */

  GError *error;                     /* result: NULL, or why there is none */
  struct annals_execution execution; /* result: what the record tells */
  const char *name;                  /* result: the end of execution_arn */
  /* result, from the events; never with METADATA_ONLY */
  char *input;
  char *output;        /* when SUCCEEDED */
  char *failure_error; /* these when FAILED, TIMED_OUT or ABORTED */
  char *failure_cause;
  enum annals_redrive_status redrive_status; /* result */
  const char *redrive_status_reason;         /* result: static; NULL: absent */

  /* Private from here on. */
  struct annals_history *history;
  struct annals_store_get get;
  struct annals_store_read read;
  struct annals_decryptor decryptor;
  int step;
  GBytes *doubted; /* the record whose event was not there, when it was last so */
  bool found;      /* the event that the step is for */
};

/*
 * Describes an execution.
 *
 * Errors: INVALID_REQUEST (constraints, all of them, as violations), INVALID_ARN,
 *         PERMISSION_DENIED, EXECUTION_DOES_NOT_EXIST, those of key_fetch.h where the execution is
 *         encrypted and data is asked for, DATA_CORRUPTED, in this order of precedence; CANCELLED
 * and DEADLINE_EXCEEDED as soon as nobody waits. Memory: the caller clears the description when it
 * is done with the result.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_describe_run(struct annals_history *history,
                                         struct annals_describe *describe);

/* Frees the result. */
void annals_describe_clear(struct annals_describe *describe);

G_END_DECLS

#endif
