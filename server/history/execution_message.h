/*
 * Executions as messages of annals.v1: what gRPC answers as it stands, and the gateway as JSON.
 *
 * Floor 2. The bytes are canonical: fields in the order of their numbers, without zeros.
 */
#ifndef ANNALS_SERVER_HISTORY_EXECUTION_MESSAGE_H_
#define ANNALS_SERVER_HISTORY_EXECUTION_MESSAGE_H_

#include "proto/buffer.h"
#include "server/history/describe.h"
#include "server/history/execution_record.h"

G_BEGIN_DECLS

enum {
  /* What an ExecutionListItem stays below: ARNs and times. */
  ANNALS_EXECUTION_ITEM_BYTES_MAX = 8 * 1024,
  /* What a DescribeExecutionResponse stays below: input and output of 256 KiB, a cause of 32. */
  ANNALS_EXECUTION_DESCRIPTION_BYTES_MAX = 1024 * 1024,
};

/* Appends an ExecutionListItem. */
void annals_execution_append_item(struct annals_buffer *out, const char *execution_arn,
                                  const struct annals_execution *execution);

/* Appends the DescribeExecutionResponse of a description that was made, without what AWS's has not:
 * item_count and encryption_configuration. */
void annals_execution_append_description(struct annals_buffer *out,
                                         const struct annals_describe *describe);

/* Appends what that left out. */
void annals_execution_append_own(struct annals_buffer *out, const struct annals_describe *describe);

G_END_DECLS

#endif
