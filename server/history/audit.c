#include "server/history/audit.h"

#include <string.h>

#include "annals/v1/history_event.pb-c.h"
#include "proto/canonical.h"
#include "server/history/arn.h"
#include "server/history/batch.h"
#include "server/history/data_key_record.h"
#include "server/history/event_text.h"
#include "server/history/execution_record.h"
#include "server/history/listing_place.h"
#include "storage/frame.h"

enum {
  EXECUTION_REDRIVEN = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_REDRIVEN,
  EXECUTION_STARTED = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_STARTED,
};

struct annals_audit {
  struct annals_store_auditor auditor; /* first: what the store hands back */
  const struct annals_schema *schema;
  char *arn;
  struct annals_event_head last;     /* the last event taken; zero: none */
  struct annals_execution execution; /* as the events so far make it */
  char *kms_key_id;                  /* of its data keys; NULL: there is none, */
  int32_t reuse_seconds;
  struct annals_listing_places places;
  char *fault; /* the last text that was returned */
};

static void begin(struct annals_store_auditor *auditor, const char *arn) {
  struct annals_audit *audit = (struct annals_audit *)auditor;
  g_free(audit->arn);
  audit->arn = g_strdup(arn);
  audit->last = (struct annals_event_head){0};
  g_clear_pointer(&audit->kms_key_id, g_free);
  annals_execution_clear(&audit->execution);
}

G_GNUC_PRINTF(2, 3)
static const char *fault(struct annals_audit *audit, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_free(audit->fault);
  audit->fault = g_strdup_vprintf(format, args);
  va_end(args);
  return audit->fault;
}

/* ---- events -------------------------------------------------------------------------------- */

static char *text_of(const struct annals_audit *audit, const struct annals_frame *frame,
                     const char *json_name) {
  char *text = annals_event_text(audit->schema, frame->event, frame->event_size, json_name);
  return text != NULL ? text : g_strdup("");
}

static void start(struct annals_audit *audit, const struct annals_event_head *head,
                  const struct annals_frame *frame) {
  struct annals_execution *execution = &audit->execution;
  annals_execution_clear(execution);
  execution->start_seconds = head->seconds;
  execution->start_nanos = head->nanos;
  execution->state_machine_version_arn = text_of(audit, frame, "stateMachineVersionArn");
  execution->state_machine_alias_arn = text_of(audit, frame, "stateMachineAliasArn");
}

static const char *check_head(struct annals_audit *audit, const struct annals_event_head *head,
                              int64_t id) {
  const struct annals_event_type *type = annals_schema_type(audit->schema, head->type);
  if (head->id != id) {
    return fault(audit, "the event calls itself %" G_GINT64_FORMAT, head->id);
  }
  if (head->previous_event_id < 0 || head->previous_event_id >= id) {
    return fault(audit, "the event names %" G_GINT64_FORMAT " as the one before it",
                 head->previous_event_id);
  }
  if (type == NULL || (id == 1 && head->type != EXECUTION_STARTED)) {
    return fault(audit, "an event of type %" G_GINT64_FORMAT, head->type);
  }
  if (head->details != 0 && head->details != type->details) {
    return fault(audit, "an event whose details are not those of its type");
  }
  if (!head->has_timestamp) {
    return fault(audit, "an event without time");
  }
  if (audit->last.id == id - 1 && annals_event_head_compare_times(head, &audit->last) < 0) {
    return fault(audit, "an event before the one it follows");
  }
  return NULL;
}

static const char *take_event(struct annals_audit *audit, const struct annals_frame *frame,
                              int64_t id) {
  struct annals_event_head head;
  if (!annals_canonical_head(audit->schema, frame->event, frame->event_size, &head)) {
    return fault(audit, "an event that is none");
  }
  const char *text = check_head(audit, &head, id);
  if (text != NULL) {
    return text;
  }
  if (id == 1) {
    start(audit, &head, frame);
  }
  enum annals_status status = annals_schema_type(audit->schema, head.type)->status;
  if (status != ANNALS_STATUS_UNCHANGED) {
    annals_execution_apply(&audit->execution, &(struct annals_status_change){
                                                  .status = status,
                                                  .redrive = head.type == EXECUTION_REDRIVEN,
                                                  .event_id = id,
                                                  .seconds = head.seconds,
                                                  .nanos = head.nanos,
                                              });
  }
  audit->last = head;
  return NULL;
}

static const char *take(struct annals_store_auditor *auditor, const struct annals_run *run,
                        int64_t *ret_event_id) {
  struct annals_audit *audit = (struct annals_audit *)auditor;
  struct annals_frame frame;
  size_t offset = 0;
  int64_t id = run->first_id;
  while (annals_frame_next(run->frames, run->frames_bytes, &offset, &frame)) {
    const char *text = take_event(audit, &frame, id);
    if (text != NULL) {
      *ret_event_id = id;
      return text;
    }
    id++;
  }
  return NULL;
}

/* ---- data keys ----------------------------------------------------------------------------- */

static const char *take_data_key(struct annals_store_auditor *auditor, int64_t ordinal,
                                 const uint8_t *record, size_t size) {
  struct annals_audit *audit = (struct annals_audit *)auditor;
  struct annals_data_key_record data_key;
  g_autoptr(GBytes) bytes = g_bytes_new_static(record, size);
  if (!annals_data_key_record_read(bytes, &data_key)) {
    return fault(audit, "the record of data key %" G_GINT64_FORMAT " is damaged", ordinal);
  }
  g_free(audit->kms_key_id);
  audit->kms_key_id = g_strdup(data_key.kms_key_id);
  audit->reuse_seconds = data_key.reuse_seconds;
  annals_data_key_record_clear(&data_key);
  return NULL;
}

/* ---- records ------------------------------------------------------------------------------- */

/* What is encrypted stays so, whatever the record says: nothing more may be stored in the clear. */
static void set_encryption(struct annals_audit *audit, const struct annals_execution *stored) {
  struct annals_execution *execution = &audit->execution;
  if (audit->kms_key_id != NULL && (stored == NULL || *stored->kms_key_id == '\0')) {
    execution->kms_key_id = g_strdup(audit->kms_key_id);
    execution->reuse_seconds = audit->reuse_seconds;
  } else {
    execution->kms_key_id = g_strdup(stored != NULL ? stored->kms_key_id : "");
    execution->reuse_seconds = stored != NULL ? stored->reuse_seconds : 0;
  }
}

/* Adds what the events do not tell: from the record, or from the ARN and the data keys. */
static void complete(struct annals_audit *audit, const struct annals_execution *stored) {
  struct annals_execution *execution = &audit->execution;
  if (stored != NULL) {
    execution->state_machine_arn = g_strdup(stored->state_machine_arn);
    execution->map_run_arn = g_strdup(stored->map_run_arn);
    execution->item_count = stored->item_count;
    execution->trace_header = g_strdup(stored->trace_header);
  } else {
    execution->state_machine_arn = annals_execution_arn_state_machine(audit->arn);
    execution->map_run_arn = g_strdup("");
    execution->trace_header = g_strdup("");
  }
  set_encryption(audit, stored);
}

static const char *status_name(enum annals_status status) {
  static const char *const names[] = {
      [ANNALS_STATUS_UNCHANGED] = "nothing",   [ANNALS_STATUS_RUNNING] = "RUNNING",
      [ANNALS_STATUS_SUCCEEDED] = "SUCCEEDED", [ANNALS_STATUS_FAILED] = "FAILED",
      [ANNALS_STATUS_TIMED_OUT] = "TIMED_OUT", [ANNALS_STATUS_ABORTED] = "ABORTED",
  };
  return names[status];
}

/* Says how the record differs, the coarsest first; its bytes do. */
static const char *difference(struct annals_audit *audit, const struct annals_execution *stored) {
  const struct annals_execution *right = &audit->execution;
  if (stored->status != right->status) {
    return fault(audit, "the record says %s, the history %s", status_name(stored->status),
                 status_name(right->status));
  }
  if (stored->start_seconds != right->start_seconds || stored->start_nanos != right->start_nanos) {
    return fault(audit, "the record's start is not the history's");
  }
  if (stored->stop_event_id != right->stop_event_id ||
      stored->stop_seconds != right->stop_seconds || stored->stop_nanos != right->stop_nanos) {
    return fault(audit, "the record's end is not the history's");
  }
  if (stored->redrive_count != right->redrive_count) {
    return fault(audit, "the record says %d redrives, the history %d", stored->redrive_count,
                 right->redrive_count);
  }
  if (strcmp(stored->kms_key_id, right->kms_key_id) != 0) {
    return fault(audit, "the record does not say that the history is encrypted");
  }
  return fault(audit, "the record is not what the history makes of it");
}

static const char *lost(struct annals_audit *audit, const uint8_t *record) {
  return fault(audit,
               "%s: what only the first append told is lost, the state machine is taken from "
               "the ARN",
               record == NULL ? "no record" : "the record is damaged");
}

/* Makes the right record, and compares. stored: NULL where it is lost. */
static const char *compare(struct annals_audit *audit, const uint8_t *record, size_t size,
                           const struct annals_execution *stored, GBytes **ret_record) {
  complete(audit, stored);
  size_t right_size;
  uint8_t *right = annals_execution_write(&audit->execution, &right_size);
  const char *text = NULL;
  if (stored == NULL) {
    text = lost(audit, record);
  } else if (right_size != size || memcmp(right, record, size) != 0) {
    text = difference(audit, stored);
  }
  *ret_record = g_bytes_new_take(right, right_size);
  return text;
}

static const char *end(struct annals_store_auditor *auditor, const uint8_t *record, size_t size,
                       bool whole, GBytes **ret_record) {
  struct annals_audit *audit = (struct annals_audit *)auditor;
  struct annals_execution stored;
  g_autoptr(GBytes) bytes = record != NULL ? g_bytes_new_static(record, size) : NULL;
  bool readable = bytes != NULL && annals_execution_read(bytes, &stored);
  const char *text = NULL;
  *ret_record = NULL;
  if (!annals_execution_arn_check(audit->arn, NULL)) {
    text = fault(audit, "what it is called is no ARN");
  } else if (whole) {
    text = compare(audit, record, size, readable ? &stored : NULL, ret_record);
  } else if (!readable) {
    text = fault(audit, record == NULL ? "no record" : "the record is damaged");
  }
  if (readable) {
    annals_execution_clear(&stored);
  }
  return text;
}

static bool place(struct annals_store_auditor *auditor, const uint8_t *record, size_t size,
                  const struct annals_store_place **ret_places, size_t *ret_place_count) {
  struct annals_audit *audit = (struct annals_audit *)auditor;
  struct annals_execution execution;
  g_autoptr(GBytes) bytes = g_bytes_new_static(record, size);
  if (!annals_execution_read(bytes, &execution)) {
    return false;
  }
  annals_listing_places_clear(&audit->places);
  annals_listing_places_init(&audit->places, &execution);
  annals_execution_clear(&execution);
  *ret_places = audit->places.places;
  *ret_place_count = audit->places.count;
  return true;
}

struct annals_audit *annals_audit_new(const struct annals_schema *schema) {
  struct annals_audit *audit = g_new0(struct annals_audit, 1);
  audit->auditor = (struct annals_store_auditor){begin, take, take_data_key, end, place};
  audit->schema = schema;
  return audit;
}

void annals_audit_free(struct annals_audit *audit) {
  if (audit == NULL) {
    return;
  }
  annals_execution_clear(&audit->execution);
  annals_listing_places_clear(&audit->places);
  g_free(audit->arn);
  g_free(audit->kms_key_id);
  g_free(audit->fault);
  g_free(audit);
}

struct annals_store_auditor *annals_audit_auditor(struct annals_audit *audit) {
  return &audit->auditor;
}
