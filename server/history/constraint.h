/*
 * The constraints that AWS's model puts on members of requests.
 *
 * Floor 2. Each check adds a violation to *error, which is NULL where none has failed yet, and
 * makes it an INVALID_REQUEST that names the first: a request is told of all its faults at once, in
 * the order in which they were looked for.
 */
#ifndef ANNALS_SERVER_HISTORY_CONSTRAINT_H_
#define ANNALS_SERVER_HISTORY_CONSTRAINT_H_

#include "server/history/enum_name.h"

G_BEGIN_DECLS

/* Adds a violation. value: as text, NULL: absent or not to be shown. */
void annals_constraint_violated(GError **error, const char *field, const char *value,
                                const char *constraint);

/* A text of 1 to bytes_max bytes; NULL: absent, which is fine. */
void annals_constraint_length(GError **error, const char *field, const char *value,
                              size_t bytes_max);

/* The ARN of an execution: required, of 1 to 256 bytes. */
void annals_constraint_execution_arn(GError **error, const char *arn);

/* A number of results: 0 to max. */
void annals_constraint_max_results(GError **error, int64_t max_results, int max);

/* A name out of an enum; NULL: absent, which is fine. */
void annals_constraint_enum(GError **error, const char *field, const char *value,
                            const struct annals_enum *values);

G_END_DECLS

#endif
