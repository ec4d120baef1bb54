/*
 * What an imported execution is called. Part of the CLI.
 */
#ifndef ANNALS_CLIENT_EXECUTION_NAME_H_
#define ANNALS_CLIENT_EXECUTION_NAME_H_

#include "client/aws_error.h"

G_BEGIN_DECLS

/*
 * Makes an execution's ARN from a prefix, whose last colon may be missing, and a file's name.
 *
 * Shape: the name is the file's without folders, without .gz, and without .json, .jsonl or
 *   .ndjson. One longer than 80 characters becomes its first 71, '-', and the first 8 hex digits of
 *   the SHA-256 of the whole name: the same file always gives the same name.
 * Memory: the caller frees the result with g_free().
 * Errors: NAME for a name that is empty, not UTF-8, or holds characters that AWS does not allow.
 * Source: AWS's API reference, StartExecution, name.
 */
G_GNUC_WARN_UNUSED_RESULT
char *annals_execution_arn_for_file(const char *prefix, const char *path, GError **error);

G_END_DECLS

#endif
