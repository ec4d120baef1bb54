#include "client/import_export.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "client/aws_event.h"

/* With the events' frames this stays below an append's limit. */
static const size_t batch_bytes = ANNALS_CLIENT_APPEND_BYTES_MAX - ANNALS_CLIENT_EVENT_BYTES_MAX -
                                  8 * ANNALS_CLIENT_APPEND_EVENTS_MAX;

/* Where the reading of an export is. */
struct reader {
  struct annals_import_export *import;
  struct annals_source *source;

  json_t *head;               /* the line that began the execution; NULL: none has begun */
  bool skipping;              /* the execution has failed */
  int64_t last_id;            /* of its events so far */
  int64_t stored;             /* of these, in the server */
  int64_t appended;           /* of these, new */
  struct annals_buffer bytes; /* of the next append */
  GArray *sizes;              /* size_t: of its events */
};

static const char *text_of(json_t *object, const char *name) {
  return json_string_value(json_object_get(object, name));
}

static const char *arn_of(const struct reader *reader) {
  return reader->head != NULL ? text_of(reader->head, "executionArn") : NULL;
}

/* Gives the execution up, saying why. Takes the error over. */
static void fail(struct reader *reader, GError *error) {
  reader->import->on_failure(reader->import, arn_of(reader), reader->stored, error);
  reader->skipping = true;
  g_error_free(error);
}

G_GNUC_PRINTF(3, 4)
static void fail_line(struct reader *reader, int code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  fail(reader, g_error_new(ANNALS_AWS_ERROR, code, "line %zu: %s",
                           annals_source_line(reader->source), text));
}

/* ---- appends ------------------------------------------------------------------------------- */

static void drop_batch(struct reader *reader) {
  annals_buffer_reset(&reader->bytes);
  g_array_set_size(reader->sizes, 0);
}

static void begin_request(const struct reader *reader,
                          struct annals_client_append_request *ret_request) {
  *ret_request = (struct annals_client_append_request){.execution_arn = arn_of(reader)};
  if (reader->stored == 0) {
    ret_request->state_machine_arn = text_of(reader->head, "stateMachineArn");
    ret_request->map_run_arn = text_of(reader->head, "mapRunArn");
    ret_request->item_count =
        (int32_t)json_integer_value(json_object_get(reader->head, "itemCount"));
    ret_request->trace_header = text_of(reader->head, "traceHeader");
    ret_request->encryption = reader->import->encryption;
  }
}

/* Appends the events that wait. */
static void flush(struct reader *reader) {
  struct annals_import_totals *totals = reader->import->totals;
  g_autofree struct annals_client_event *events =
      g_new(struct annals_client_event, reader->sizes->len);
  const uint8_t *at = reader->bytes.data;
  for (guint i = 0; i < reader->sizes->len; i++) {
    events[i] = (struct annals_client_event){at, g_array_index(reader->sizes, size_t, i)};
    at += events[i].size;
  }
  struct annals_client_append_request request;
  begin_request(reader, &request);
  request.event_bytes = events;
  request.event_count = reader->sizes->len;
  struct annals_client_append_result result;
  GError *error = NULL;
  if (!annals_client_append(reader->import->client, &request, &result, &error)) {
    fail(reader, error);
  } else {
    reader->stored = reader->last_id;
    reader->appended += result.appended_count;
    totals->appended += result.appended_count;
    totals->already_stored += result.already_stored_count;
    totals->adjusted += result.adjusted_timestamp_count;
    reader->import->on_progress(reader->import);
  }
  drop_batch(reader);
}

/* ---- lines --------------------------------------------------------------------------------- */

/* An execution that has begun and not ended is not whole. */
static void check_ended(struct reader *reader) {
  if (reader->head != NULL && !reader->skipping) {
    fail_line(reader, ANNALS_AWS_ERROR_FILE, "the execution's last line is missing before this");
  }
}

static bool is_text(json_t *value) {
  return value == NULL || json_is_string(value);
}

static bool is_count(json_t *value) {
  return value == NULL || (json_is_integer(value) && json_integer_value(value) >= 0 &&
                           json_integer_value(value) <= INT32_MAX);
}

static void begin_execution(struct reader *reader, json_t *head) {
  check_ended(reader);
  json_decref(reader->head);
  reader->head = json_incref(head);
  reader->skipping = false;
  reader->last_id = 0;
  reader->stored = 0;
  reader->appended = 0;
  drop_batch(reader);
  const char *name;
  json_t *value;
  json_object_foreach(head, name, value) {
    static const char *const texts[] = {"executionArn", "stateMachineArn", "mapRunArn",
                                        "traceHeader", NULL};
    bool known = g_strv_contains(texts, name) || strcmp(name, "itemCount") == 0;
    if (!known) {
      fail_line(reader, ANNALS_AWS_ERROR_FILE, "%.80s: unknown member", name);
      return;
    }
    if (strcmp(name, "itemCount") == 0 ? !is_count(value) : !is_text(value)) {
      fail_line(reader, ANNALS_AWS_ERROR_FILE, "%s: not what it can be", name);
      return;
    }
  }
}

static void end_execution(struct reader *reader, json_t *end) {
  json_t *last_id = json_object_get(end, "lastEventId");
  if (reader->head == NULL && reader->skipping) {
    return;
  }
  if (reader->head == NULL || g_strcmp0(arn_of(reader), text_of(end, "executionArn")) != 0) {
    check_ended(reader);
    g_clear_pointer(&reader->head, json_decref);
    fail_line(reader, ANNALS_AWS_ERROR_FILE, "the end of an execution that has not begun");
  } else if (!reader->skipping && json_integer_value(last_id) != reader->last_id) {
    fail_line(reader, ANNALS_AWS_ERROR_GAP, "events are missing before this");
  } else if (!reader->skipping) {
    if (reader->sizes->len > 0) {
      flush(reader);
    }
    if (!reader->skipping) {
      reader->import->totals->imported += reader->appended > 0;
      reader->import->totals->there += reader->appended == 0;
    }
  }
  g_clear_pointer(&reader->head, json_decref);
  reader->stored = 0;
}

static void take_event(struct reader *reader, json_t *event) {
  if (reader->head == NULL && !reader->skipping) {
    fail_line(reader, ANNALS_AWS_ERROR_FILE, "an event of no execution");
  }
  if (reader->skipping) {
    return;
  }
  size_t start = reader->bytes.len;
  int64_t id;
  GError *error = NULL;
  if (!annals_aws_event_append(reader->import->schema, event, &reader->bytes, &id, &error)) {
    g_prefix_error(&error, "line %zu: ", annals_source_line(reader->source));
    fail(reader, error);
    return;
  }
  if (id != reader->last_id + 1) {
    fail_line(reader, ANNALS_AWS_ERROR_GAP, "id: %" PRId64 " is the next after %" PRId64, id,
              reader->last_id);
    return;
  }
  reader->last_id = id;
  size_t size = reader->bytes.len - start;
  g_array_append_val(reader->sizes, size);
  if (reader->sizes->len == ANNALS_CLIENT_APPEND_EVENTS_MAX || reader->bytes.len >= batch_bytes) {
    flush(reader);
  }
}

static void take_line(struct reader *reader, const char *line, size_t size) {
  json_error_t json_error;
  json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &json_error);
  if (!json_is_object(object)) {
    if (!reader->skipping) {
      fail_line(reader, ANNALS_AWS_ERROR_FILE, "%s",
                object == NULL ? json_error.text : "not an object");
    }
  } else if (json_object_get(object, "executionArn") == NULL) {
    take_event(reader, object);
  } else if (json_object_get(object, "lastEventId") != NULL) {
    end_execution(reader, object);
  } else {
    begin_execution(reader, object);
  }
  json_decref(object);
}

static bool is_blank(const char *line, size_t size) {
  while (size > 0 && g_ascii_isspace(line[size - 1])) {
    size--;
  }
  return size == 0;
}

static void take_lines(struct reader *reader) {
  const char *line;
  size_t size;
  GError *error = NULL;
  for (;;) {
    if (!annals_source_next_line(reader->source, &line, &size, &error)) {
      fail(reader, error);
      return;
    }
    if (line == NULL) {
      break;
    }
    if (!is_blank(line, size)) {
      take_line(reader, line, size);
    }
  }
  if (reader->head != NULL && !reader->skipping) {
    fail_line(reader, ANNALS_AWS_ERROR_FILE, "the file ends too early");
  }
}

bool annals_import_export_is_one(struct annals_source *source, bool *ret_is, GError **error) {
  static const char *const words[] = {"{", "\"executionArn\"", NULL};
  return annals_source_begins(source, words, ret_is, error);
}

void annals_import_export_run(struct annals_import_export *import, struct annals_source *source) {
  struct reader reader = {
      .import = import,
      .source = source,
      .sizes = g_array_new(FALSE, FALSE, sizeof(size_t)),
  };
  annals_buffer_init(&reader.bytes, G_MAXSSIZE);
  take_lines(&reader);
  json_decref(reader.head);
  g_array_unref(reader.sizes);
  annals_buffer_clear(&reader.bytes);
}
