/*
 * Reading request messages off the wire, without objects.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_REQUEST_H_
#define ANNALS_SERVER_RPC_REQUEST_H_

#include <glib.h>
#include <stdbool.h>

#include "proto/wire.h"
#include "server/history/append.h"
#include "server/history/page.h"

G_BEGIN_DECLS

/* AppendHistoryEventsRequest. Strings are owned, "" when absent; events are views. */
struct annals_rpc_append_request {
  char *execution_arn;
  GArray *events; /* struct annals_event_bytes, one more than allowed at most */
  char *state_machine_arn;
  char *map_run_arn;
  int32_t item_count;
  char *trace_header;
  struct annals_encryption encryption; /* its kms_key_id is owned */
};

/*
 * Reads the message; views point into bytes. Clear the request also after a failure.
 * Errors: INVALID_REQUEST for malformed bytes, text that is not UTF-8 or holds NUL characters, and
 *   unknown fields: what a client meant by them would be lost.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_append_request_read(const uint8_t *bytes, size_t size,
                                    struct annals_rpc_append_request *ret_request, GError **error);
void annals_rpc_append_request_clear(struct annals_rpc_append_request *request);

/*
 * Finds the AppendHistoryEventsRequest in an AppendHistoryEventsStreamRequest: a view of its bytes,
 * which are not read; an empty one when absent.
 * Errors: INVALID_REQUEST for malformed bytes, unknown fields, and an append given in parts.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_append_stream_request_read(const uint8_t *bytes, size_t size,
                                           struct annals_wire_field *ret_append, GError **error);

/* GetExecutionHistoryRequest. Strings are owned; next_token is NULL when absent. */
struct annals_rpc_page_request {
  char *execution_arn;
  int32_t max_results;
  char *next_token;
  bool reverse_order;
  bool include_execution_data;
  bool include_given; /* while reading: a part of include_execution_data has been seen */
};

/*
 * Reads the message. Clear the request also after a failure.
 * Errors: INVALID_REQUEST for malformed bytes and text that is not UTF-8 or holds NUL characters.
 *   Unknown fields are ignored, as in any protobuf reader.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_page_request_read(const uint8_t *bytes, size_t size,
                                  struct annals_rpc_page_request *ret_request, GError **error);
void annals_rpc_page_request_clear(struct annals_rpc_page_request *request);

/* WatchExecutionHistoryRequest. The string is owned. */
struct annals_rpc_watch_request {
  char *execution_arn;
  int64_t from_event_id;
  bool include_execution_data;
  bool follow_redrives;
  bool include_given; /* as above */
};

/* As annals_rpc_page_request_read. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_watch_request_read(const uint8_t *bytes, size_t size,
                                   struct annals_rpc_watch_request *ret_request, GError **error);
void annals_rpc_watch_request_clear(struct annals_rpc_watch_request *request);

/* DeleteExecutionRequest, as annals_rpc_page_request_read. Memory: g_free() the result. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_delete_request_read(const uint8_t *bytes, size_t size, char **ret_execution_arn,
                                    GError **error);

/*
 * DescribeExecutionRequest. Strings are owned. Enums are AWS's names, or numbers as text that are
 * no values; NULL when absent.
 */
struct annals_rpc_describe_request {
  char *execution_arn;
  char *included_data;
};

/* As annals_rpc_page_request_read. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_describe_request_read(const uint8_t *bytes, size_t size,
                                      struct annals_rpc_describe_request *ret_request,
                                      GError **error);
void annals_rpc_describe_request_clear(struct annals_rpc_describe_request *request);

/* ListExecutionsRequest. Strings are owned, NULL when absent; enums as above. */
struct annals_rpc_list_request {
  char *state_machine_arn;
  char *status_filter;
  int32_t max_results;
  char *next_token;
  char *map_run_arn;
  char *redrive_filter;
};

/* As annals_rpc_page_request_read. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_list_request_read(const uint8_t *bytes, size_t size,
                                  struct annals_rpc_list_request *ret_request, GError **error);
void annals_rpc_list_request_clear(struct annals_rpc_list_request *request);

/* CreateBackupRequest. The string is owned, "" when absent. */
struct annals_rpc_backup_request {
  char *directory;
  int32_t keep;
};

/* As annals_rpc_append_request_read: an unknown field may be a condition that would be lost. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_backup_request_read(const uint8_t *bytes, size_t size,
                                    struct annals_rpc_backup_request *ret_request, GError **error);
void annals_rpc_backup_request_clear(struct annals_rpc_backup_request *request);

/* VerifyStoreRequest, as annals_rpc_page_request_read. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_verify_request_read(const uint8_t *bytes, size_t size,
                                    int64_t *ret_max_bytes_per_second, GError **error);

G_END_DECLS

#endif
