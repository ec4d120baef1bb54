#include "storage/rocksdb/execution_check.h"

#include <string.h>

#include "storage/frame.h"
#include "storage/rocksdb/listing_check.h"
#include "storage/rocksdb/run_builder.h"
#include "storage/rocksdb/scan.h"

/* The execution at hand. */
struct execution {
  struct annals_verification *verification;
  char *arn;
  size_t arn_size;
  bool whole;      /* nothing is wrong with its history so far */
  bool marker;     /* it has one */
  int64_t last_id; /* of the runs so far */
  int64_t sealed_id;
  int64_t data_keys; /* how many there are */
  int64_t data_key;  /* the highest that an event names */
  bool in_gap;       /* told of: the open runs of a damaged tail are not told of one by one */
};

/* ---- faults -------------------------------------------------------------------------------- */

static void tell(struct execution *execution, enum annals_family family, int64_t event_id,
                 const char *text, bool repaired) {
  annals_verification_fault(execution->verification, &(struct annals_store_fault){
                                                         .file = "",
                                                         .part = annals_family_name(family),
                                                         .arn = execution->arn,
                                                         .event_id = event_id,
                                                         .text = text,
                                                         .repaired = repaired,
                                                     });
}

G_GNUC_PRINTF(3, 4)
static void fail(struct execution *execution, int64_t event_id, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  execution->whole = false;
  tell(execution, ANNALS_FAMILY_HISTORY, event_id, text, false);
}

/* ---- histories ----------------------------------------------------------------------------- */

static bool put_marker(struct execution *execution) {
  g_autofree uint8_t *key = g_malloc(execution->arn_size + ANNALS_KEY_SEEK_EXTRA);
  uint8_t value[ANNALS_BIRTH_BYTES];
  size_t size = annals_key_put_marker(key, execution->arn, execution->arn_size);
  /* Born before everything: whoever reads takes the history for the one that has always been. */
  annals_birth_put(value, 0);
  g_autoptr(GBytes) bytes = g_bytes_new(value, sizeof value);
  return annals_verification_put(execution->verification, ANNALS_FAMILY_HISTORY, key, size, bytes);
}

static void check_marker(struct execution *execution, const struct annals_scan *scan) {
  execution->marker = true;
  rocksdb_t *db = execution->verification->db;
  const char *fault = NULL;
  if (scan->value_size != ANNALS_BIRTH_BYTES) {
    fault = "a marker without birth";
  } else if (annals_birth_parse(scan->value, scan->value_size) >
             rocksdb_get_latest_sequence_number(db)) {
    fault = "a marker that was born later than now";
  }
  if (fault != NULL) {
    tell(execution, ANNALS_FAMILY_HISTORY, 0, fault, put_marker(execution));
  }
}

static void check_place_of_run(struct execution *execution, const struct annals_key *key) {
  char kind = (char)key->kind;
  if (key->first_id <= execution->last_id) {
    fail(execution, key->first_id,
         "run %c %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT " overlaps with the one before it", kind,
         key->first_id, key->last_id);
  } else if (key->first_id != execution->last_id + 1) {
    fail(execution, execution->last_id + 1,
         "events %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT " are missing", execution->last_id + 1,
         key->first_id - 1);
  }
  if (key->kind == ANNALS_KEY_OPEN && !execution->marker && !execution->in_gap) {
    execution->in_gap = true;
    tell(execution, ANNALS_FAMILY_HISTORY, key->first_id, "no marker before the open runs",
         put_marker(execution));
  }
  if (key->kind == ANNALS_KEY_OPEN &&
      key->last_id - execution->sealed_id >= ANNALS_RUN_EVENTS_MAX + 1) {
    fail(execution, key->first_id, "an open run that should have been sealed");
  }
}

/* Data keys follow one another along a history. */
static void check_data_keys_of_run(struct execution *execution, const struct annals_run *run) {
  struct annals_frame frame;
  size_t offset = 0;
  int64_t id = run->first_id;
  for (; annals_frame_next(run->frames, run->frames_bytes, &offset, &frame); id++) {
    if (frame.data_key != execution->data_key && frame.data_key != execution->data_key + 1 &&
        execution->whole) {
      fail(execution, id,
           "an event of data key %" G_GINT64_FORMAT " behind one of %" G_GINT64_FORMAT,
           frame.data_key, execution->data_key);
    }
    execution->data_key = MAX(execution->data_key, frame.data_key);
  }
}

static void check_data_key(struct execution *execution, int64_t ordinal,
                           const struct annals_scan *scan) {
  struct annals_store_auditor *auditor = execution->verification->request->auditor;
  if (ordinal != execution->data_keys + 1) {
    fail(execution, 0, "the record of data key %" G_GINT64_FORMAT " is missing",
         execution->data_keys + 1);
  }
  const char *fault = auditor->take_data_key(auditor, ordinal, scan->value, scan->value_size);
  if (fault != NULL) {
    fail(execution, 0, "%s", fault);
  }
  execution->data_keys = ordinal;
}

static void check_run(struct execution *execution, const struct annals_key *key,
                      const struct annals_scan *scan) {
  struct annals_store_verify *request = execution->verification->request;
  int64_t count = annals_frame_count(scan->value, scan->value_size);
  check_place_of_run(execution, key);
  if (count != key->last_id - key->first_id + 1) {
    fail(execution, key->first_id,
         "run %c %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT " has frames that do not match",
         (char)key->kind, key->first_id, key->last_id);
  } else {
    const struct annals_run run = {.first_id = key->first_id,
                                   .last_id = key->last_id,
                                   .frames = scan->value,
                                   .frames_bytes = scan->value_size};
    int64_t event_id = key->first_id;
    const char *fault = request->auditor->take(request->auditor, &run, &event_id);
    if (fault != NULL) {
      fail(execution, event_id, "%s", fault);
    }
    check_data_keys_of_run(execution, &run);
    request->summary.events += execution->verification->muted ? 0 : count;
  }
  execution->last_id = MAX(execution->last_id, key->last_id);
  if (key->kind == ANNALS_KEY_SEALED) {
    execution->sealed_id = execution->last_id;
  }
}

static void check_key(struct execution *execution, const struct annals_scan *scan) {
  struct annals_key key;
  if (!annals_key_parse(scan->key, scan->key_size, execution->arn, execution->arn_size, &key)) {
    fail(execution, 0, "a key that is none");
  } else if (key.marker) {
    check_marker(execution, scan);
  } else if (key.kind == ANNALS_KEY_DATA) {
    check_data_key(execution, key.last_id, scan);
  } else {
    check_run(execution, &key, scan);
  }
}

static bool is_of(const struct annals_scan *scan, const struct execution *execution) {
  return scan->key != NULL && scan->key_size > execution->arn_size &&
         memcmp(scan->key, execution->arn, execution->arn_size + 1) == 0;
}

/* Takes all keys of the execution at which the scan stands. */
static void check_history(struct execution *execution, struct annals_scan *scan) {
  const uint64_t holes = scan->holes;
  while (is_of(scan, execution) && !execution->verification->stopped) {
    check_key(execution, scan);
    annals_scan_next(scan);
  }
  if (execution->last_id == 0) {
    fail(execution, 0, "no event");
  } else if (!execution->marker && !execution->in_gap && scan->holes == holes) {
    tell(execution, ANNALS_FAMILY_HISTORY, 0, "no marker behind the sealed runs",
         put_marker(execution));
  }
  if (execution->data_keys < execution->data_key && scan->holes == holes) {
    fail(execution, 0, "the record of data key %" G_GINT64_FORMAT " is missing",
         execution->data_keys + 1);
  }
  execution->whole &= scan->holes == holes;
}

/* ---- records ------------------------------------------------------------------------------- */

/* Compares the record, and puts it right. Gives the right one, as far as can be told. */
static GBytes *check_record(struct execution *execution, GBytes *record) {
  struct annals_verification *verification = execution->verification;
  struct annals_store_auditor *auditor = verification->request->auditor;
  g_autoptr(GBytes) right = NULL;
  gsize size = 0;
  const uint8_t *bytes = record != NULL ? g_bytes_get_data(record, &size) : NULL;
  const char *fault = auditor->end(auditor, bytes, size, execution->whole, &right);
  if (fault != NULL) {
    bool repaired = right != NULL && annals_verification_put(verification, ANNALS_FAMILY_EXECUTIONS,
                                                             (const uint8_t *)execution->arn,
                                                             execution->arn_size, right);
    tell(execution, ANNALS_FAMILY_EXECUTIONS, 0, fault, repaired);
  }
  if (right != NULL) {
    return g_steal_pointer(&right);
  }
  return record != NULL ? g_bytes_ref(record) : NULL;
}

/* Ends the execution. known: record is what is stored, or nothing is. What cannot be read was told
 * of, and is as good as lost where it is to be repaired. */
static void end_execution(struct execution *execution, GBytes *record, bool known) {
  struct annals_verification *verification = execution->verification;
  verification->request->summary.executions++;
  if (verification->repair != ANNALS_REPAIR_NONE) {
    g_autoptr(GBytes) right = check_record(execution, record);
    annals_listing_check_record(verification, execution->arn, record, right);
  } else if (known) {
    g_autoptr(GBytes) right = check_record(execution, record);
    annals_listing_check_add(verification, execution->arn, record);
  }
}

/* ---- both ---------------------------------------------------------------------------------- */

struct join {
  struct annals_verification *verification;
  struct annals_scan histories;
  struct annals_scan records;
};

static void begin(struct execution *execution, struct annals_verification *verification,
                  const uint8_t *arn, size_t size) {
  struct annals_store_auditor *auditor = verification->request->auditor;
  *execution = (struct execution){
      .verification = verification,
      .arn = g_strndup((const char *)arn, size),
      .arn_size = size,
      .whole = true,
  };
  auditor->begin(auditor, execution->arn);
}

/* The record of an execution whose history has been read: the one at hand, or one that the scan of
 * records passed over. Returns whether that can be told. */
static bool take_record(struct join *join, const struct execution *execution, GBytes **ret_record) {
  struct annals_scan *records = &join->records;
  *ret_record = NULL;
  if (records->key != NULL && records->key_size == execution->arn_size &&
      memcmp(records->key, execution->arn, execution->arn_size) == 0) {
    *ret_record = g_bytes_new(records->value, records->value_size);
    annals_scan_next(records);
    return true;
  }
  return records->holes == 0 ||
         annals_verification_get(join->verification, ANNALS_FAMILY_EXECUTIONS, execution->arn,
                                 (const uint8_t *)execution->arn, execution->arn_size, ret_record);
}

/* Checks the execution at which the scan of histories, or another one, stands. */
static void check_execution(struct join *join, struct annals_scan *histories, const uint8_t *arn,
                            size_t arn_size) {
  struct execution execution;
  g_autoptr(GBytes) record = NULL;
  begin(&execution, join->verification, arn, arn_size);
  check_history(&execution, histories);
  if (!join->verification->stopped) {
    bool known = take_record(join, &execution, &record);
    end_execution(&execution, record, known);
  }
  g_free(execution.arn);
}

/* A record behind which no history stands: there is none, or the scan passed over it. */
static void check_lone_record(struct join *join) {
  struct annals_scan lone;
  struct execution execution;
  begin(&execution, join->verification, join->records.key, join->records.key_size);
  annals_scan_open(&lone, join->verification, ANNALS_FAMILY_HISTORY);
  if (join->histories.holes > 0) {
    annals_scan_seek(&lone, (const uint8_t *)execution.arn, execution.arn_size + 1);
  }
  if (is_of(&lone, &execution)) {
    check_execution(join, &lone, (const uint8_t *)execution.arn, execution.arn_size);
  } else {
    bool repaired =
        lone.holes == 0 && annals_verification_delete(join->verification, ANNALS_FAMILY_EXECUTIONS,
                                                      join->records.key, join->records.key_size);
    if (lone.holes == 0) {
      tell(&execution, ANNALS_FAMILY_EXECUTIONS, 0, "a record without a history", repaired);
    }
    annals_scan_next(&join->records);
  }
  annals_scan_close(&lone);
  g_free(execution.arn);
}

/* Passes over a key that is of no execution. */
static void check_stray_key(struct join *join) {
  struct execution none = {.verification = join->verification, .arn = (char *)""};
  fail(&none, 0, "a key that is none");
  annals_scan_next(&join->histories);
}

static void step(struct join *join) {
  struct annals_scan *histories = &join->histories;
  struct annals_scan *records = &join->records;
  size_t arn_size = 0;
  if (histories->key != NULL) {
    const uint8_t *end = memchr(histories->key, '\0', histories->key_size);
    if (end == NULL || end == histories->key) {
      check_stray_key(join);
      return;
    }
    arn_size = (size_t)(end - histories->key);
  }
  int order = histories->key == NULL ? 1 : records->key == NULL ? -1 : 0;
  if (order == 0) {
    order = memcmp(histories->key, records->key, MIN(arn_size, records->key_size));
    order = order != 0 ? order : (arn_size > records->key_size) - (arn_size < records->key_size);
  }
  if (order > 0) {
    check_lone_record(join);
  } else {
    check_execution(join, histories, histories->key, arn_size);
  }
}

/* A scan that cannot read its very first block does not know where to go on. */
static void begin_scans(struct join *join) {
  struct annals_scan *histories = &join->histories;
  struct annals_scan *records = &join->records;
  annals_scan_first(histories);
  annals_scan_first(records);
  if (histories->key == NULL && histories->holes > 0 && records->key != NULL) {
    annals_scan_seek(histories, records->key, records->key_size);
  } else if (records->key == NULL && records->holes > 0 && histories->key != NULL) {
    annals_scan_seek(records, histories->key,
                     strnlen((const char *)histories->key, histories->key_size));
  }
}

void annals_execution_check_all(struct annals_verification *verification) {
  struct join join = {.verification = verification};
  annals_scan_open(&join.histories, verification, ANNALS_FAMILY_HISTORY);
  annals_scan_open(&join.records, verification, ANNALS_FAMILY_EXECUTIONS);
  begin_scans(&join);
  while (!verification->stopped && (join.histories.key != NULL || join.records.key != NULL)) {
    step(&join);
  }
  annals_scan_close(&join.histories);
  annals_scan_close(&join.records);
}

GBytes *annals_execution_check_find_right(struct annals_verification *verification,
                                          const char *arn) {
  struct execution execution;
  struct annals_scan scan;
  g_autoptr(GBytes) record = NULL;
  verification->muted = true;
  begin(&execution, verification, (const uint8_t *)arn, strlen(arn));
  annals_scan_open(&scan, verification, ANNALS_FAMILY_HISTORY);
  annals_scan_seek(&scan, (const uint8_t *)arn, execution.arn_size + 1);
  GBytes *right = NULL;
  if (is_of(&scan, &execution)) {
    check_history(&execution, &scan);
    bool known = annals_verification_get(verification, ANNALS_FAMILY_EXECUTIONS, arn,
                                         (const uint8_t *)arn, execution.arn_size, &record);
    right = known ? check_record(&execution, record) : NULL;
  }
  annals_scan_close(&scan);
  g_free(execution.arn);
  verification->muted = false;
  return right;
}
