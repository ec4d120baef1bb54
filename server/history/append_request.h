/*
 * What an append asks for beside its events, and what of it may not change later.
 *
 * Floor 2.
 */
#ifndef ANNALS_SERVER_HISTORY_APPEND_REQUEST_H_
#define ANNALS_SERVER_HISTORY_APPEND_REQUEST_H_

#include "server/history/authorization.h"
#include "server/history/batch.h"
#include "server/history/encryption.h"
#include "server/history/execution_record.h"

G_BEGIN_DECLS

enum { ANNALS_TRACE_HEADER_BYTES_MAX = 256 };

/* What is to be appended, and by whom. "" means absent. */
struct annals_append_request {
  /* NULL: anybody (authorization.h). Needs the permission for the execution, and also for the
     state machine where it is given and not the one that the execution's ARN names. */
  const struct annals_principal *principal;
  const char *execution_arn;
  const struct annals_event_bytes *events;
  size_t event_count;
  const char *state_machine_arn;
  const char *map_run_arn;
  int32_t item_count;
  const char *trace_header;
  struct annals_encryption encryption;
};

/* Checks everything but the events. Errors: INVALID_ARN, INVALID_REQUEST naming the field. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_append_request_check(const struct annals_append_request *request, GError **error);

/* Tells whether the request says anything of the execution that later ones may not change. */
bool annals_append_request_describes(const struct annals_append_request *request);

/*
 * Checks that what the request says of the execution is what the first append said.
 * Errors: INVALID_REQUEST naming the field.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_append_request_check_unchanged(const struct annals_append_request *request,
                                           const struct annals_execution *stored, GError **error);

/* Makes the execution that the request describes, without what events tell. Memory: clear it. */
void annals_append_request_execution(const struct annals_append_request *request,
                                     const struct annals_encryption *encryption,
                                     struct annals_execution *ret_execution);

G_END_DECLS

#endif
