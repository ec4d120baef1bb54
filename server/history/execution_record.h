/*
 * What is kept of an execution beside its events.
 *
 * Floor 2. The store holds it as bytes (execution_record.proto); here it has a form that code can
 * work with.
 */
#ifndef ANNALS_SERVER_HISTORY_EXECUTION_RECORD_H_
#define ANNALS_SERVER_HISTORY_EXECUTION_RECORD_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/schema.h"

G_BEGIN_DECLS

/* One execution. Strings are owned, "" means absent. */
struct annals_execution {
  enum annals_status status;
  int64_t start_seconds;
  int32_t start_nanos;
  bool stopped;
  int64_t stop_seconds;
  int32_t stop_nanos;
  int64_t stop_event_id; /* of the last terminal event; 0: not known */
  char *state_machine_arn;
  char *state_machine_version_arn; /* these two from the first event */
  char *state_machine_alias_arn;
  char *map_run_arn;
  int32_t item_count;
  char *trace_header;
  int32_t redrive_count;
  int64_t redrive_seconds; /* of the last redrive, when there was one */
  int32_t redrive_nanos;
  char *kms_key_id;      /* the key that it is encrypted under */
  int32_t reuse_seconds; /* for how long one of its data keys is used */
};

/* Reads a record. Returns false, with nothing to clear, when it is damaged. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_execution_read(GBytes *record, struct annals_execution *ret_execution);

/* Writes a record. Memory: the caller frees the result with g_free(). */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_execution_write(const struct annals_execution *execution, size_t *ret_size);

/* An event that changes how an execution stands. */
struct annals_status_change {
  enum annals_status status;
  bool redrive;
  int64_t event_id;
  int64_t seconds; /* when it happened */
  int32_t nanos;
};

/* Takes in what an event makes of the execution. */
void annals_execution_apply(struct annals_execution *execution,
                            const struct annals_status_change *change);

/* Frees the strings. */
void annals_execution_clear(struct annals_execution *execution);

G_END_DECLS

#endif
