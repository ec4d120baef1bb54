#include "client/aws_event.h"

#include <inttypes.h>
#include <string.h>

#include "client/annals.h"
#include "client/aws_time.h"
#include "proto/wire.h"

struct encoder {
  const struct annals_schema *schema;
  struct annals_buffer *out;
  GError **error;
};

static const char *const reasons[] = {
    [ANNALS_AWS_ERROR_UNREADABLE] = "UNREADABLE_FILE", [ANNALS_AWS_ERROR_FILE] = "INVALID_FILE",
    [ANNALS_AWS_ERROR_EVENT] = "INVALID_EVENT",        [ANNALS_AWS_ERROR_LIMIT] = "LIMIT_EXCEEDED",
    [ANNALS_AWS_ERROR_CONFLICT] = "EVENT_CONFLICT",    [ANNALS_AWS_ERROR_GAP] = "EVENT_GAP",
    [ANNALS_AWS_ERROR_NAME] = "INVALID_NAME",
};

G_DEFINE_QUARK(annals_aws_error, annals_aws_error)

const char *annals_aws_error_reason(int code) {
  return reasons[code];
}

G_GNUC_PRINTF(3, 4)
static bool fail(struct encoder *encoder, const struct annals_field *field, const char *format,
                 ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(encoder->error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_EVENT, "%s: %s", field->json_name,
              text);
  return false;
}

static bool check_length(struct encoder *encoder, const struct annals_field *field, size_t size) {
  if (field->bytes_max == 0 || size <= field->bytes_max) {
    return true;
  }
  g_set_error(encoder->error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_LIMIT,
              "%s: %zu bytes, at most %zu are allowed", field->json_name, size, field->bytes_max);
  return false;
}

/* A member that is there; null is absent. */
static json_t *member_of(json_t *object, const struct annals_field *field) {
  json_t *value = json_object_get(object, field->json_name);
  return json_is_null(value) ? NULL : value;
}

static bool append_int(struct encoder *encoder, const struct annals_field *field, json_t *value) {
  if (!json_is_integer(value)) {
    return fail(encoder, field, "must be an integer");
  }
  json_int_t number = json_integer_value(value);
  if (field->kind == ANNALS_KIND_INT32 && (number < INT32_MIN || number > INT32_MAX)) {
    return fail(encoder, field, "%" PRId64 " does not fit into 32 bits", (int64_t)number);
  }
  if (number != 0) {
    annals_wire_append_varint(encoder->out, field->number, (uint64_t)number);
  }
  return true;
}

static bool append_bool(struct encoder *encoder, const struct annals_field *field, json_t *value) {
  if (!json_is_boolean(value)) {
    return fail(encoder, field, "must be true or false");
  }
  if (json_is_true(value)) {
    annals_wire_append_varint(encoder->out, field->number, 1);
  }
  return true;
}

static bool append_string(struct encoder *encoder, const struct annals_field *field,
                          json_t *value) {
  if (!json_is_string(value)) {
    return fail(encoder, field, "must be a string");
  }
  size_t size = json_string_length(value);
  if (!check_length(encoder, field, size)) {
    return false;
  }
  if (size > 0) {
    annals_wire_append_bytes(encoder->out, field->number, json_string_value(value), size);
  }
  return true;
}

static bool append_type(struct encoder *encoder, const struct annals_field *field, json_t *value) {
  if (!json_is_string(value)) {
    return fail(encoder, field, "must be a string");
  }
  const struct annals_event_type *type =
      annals_schema_type_named(encoder->schema, json_string_value(value));
  if (type == NULL) {
    return fail(encoder, field, "'%.80s' is not an event type", json_string_value(value));
  }
  annals_wire_append_varint(encoder->out, field->number, (uint64_t)type->number);
  return true;
}

static bool parse_time(json_t *value, struct annals_time *ret_time) {
  if (json_is_string(value)) {
    return annals_time_from_text(json_string_value(value), ret_time);
  }
  return annals_time_from_number(json_number_value(value), ret_time);
}

static bool append_timestamp(struct encoder *encoder, const struct annals_field *field,
                             json_t *value) {
  struct annals_time time;
  if (!json_is_number(value) && !json_is_string(value)) {
    return fail(encoder, field, "must be epoch seconds or ISO 8601 text");
  }
  if (!parse_time(value, &time)) {
    return json_is_string(value)
               ? fail(encoder, field, "'%.80s' is not ISO 8601 with an offset, of 1970 to 9999",
                      json_string_value(value))
               : fail(encoder, field, "is not within the years 1970 to 9999");
  }
  size_t start = encoder->out->len;
  if (time.seconds != 0) {
    annals_wire_append_varint(encoder->out, 1, (uint64_t)time.seconds);
  }
  if (time.nanos != 0) {
    annals_wire_append_varint(encoder->out, 2, (uint64_t)time.nanos);
  }
  annals_wire_wrap(encoder->out, start, field->number);
  return true;
}

static int compare_keys(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in the order of their bytes, which is the canonical one. */
static GPtrArray *sorted_keys(json_t *object) {
  GPtrArray *keys = g_ptr_array_sized_new((guint)json_object_size(object));
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    if (!json_is_null(value)) {
      g_ptr_array_add(keys, (gpointer)key);
    }
  }
  g_ptr_array_sort(keys, compare_keys);
  return keys;
}

static void append_map_entry(struct encoder *encoder, uint32_t number, const char *key,
                             json_t *value) {
  size_t start = encoder->out->len;
  if (key[0] != '\0') {
    annals_wire_append_bytes(encoder->out, 1, key, strlen(key));
  }
  if (json_string_length(value) > 0) {
    annals_wire_append_bytes(encoder->out, 2, json_string_value(value), json_string_length(value));
  }
  annals_wire_wrap(encoder->out, start, number);
}

static bool append_map(struct encoder *encoder, const struct annals_field *field, json_t *map) {
  if (!json_is_object(map)) {
    return fail(encoder, field, "must be an object");
  }
  g_autoptr(GPtrArray) keys = sorted_keys(map);
  size_t size = 0;
  for (guint i = 0; i < keys->len; i++) {
    const char *key = keys->pdata[i];
    json_t *value = json_object_get(map, key);
    if (!json_is_string(value)) {
      return fail(encoder, field, "the value of '%.80s' must be a string", key);
    }
    size += strlen(key) + json_string_length(value);
    append_map_entry(encoder, field->number, key, value);
  }
  return check_length(encoder, field, size);
}

static bool append_members(struct encoder *encoder, const struct annals_message *message,
                           json_t *object);

static bool append_message(struct encoder *encoder, const struct annals_field *field,
                           json_t *value) {
  if (!json_is_object(value)) {
    return fail(encoder, field, "must be an object");
  }
  size_t start = encoder->out->len;
  if (!append_members(encoder, field->message, value)) {
    g_prefix_error(encoder->error, "%s.", field->json_name);
    return false;
  }
  annals_wire_wrap(encoder->out, start, field->number);
  return true;
}

static bool append_value(struct encoder *encoder, const struct annals_field *field, json_t *value) {
  switch (field->kind) {
    case ANNALS_KIND_INT32:
    case ANNALS_KIND_INT64:
      return append_int(encoder, field, value);
    case ANNALS_KIND_BOOL:
      return append_bool(encoder, field, value);
    case ANNALS_KIND_ENUM:
      return append_type(encoder, field, value);
    case ANNALS_KIND_STRING:
      return append_string(encoder, field, value);
    case ANNALS_KIND_MESSAGE:
      return append_message(encoder, field, value);
    case ANNALS_KIND_TIMESTAMP:
      return append_timestamp(encoder, field, value);
    case ANNALS_KIND_STRING_MAP:
      return append_map(encoder, field, value);
  }
  g_assert_not_reached();
}

/* Members go out in the order of their numbers, whatever order the object has. */
static bool append_members(struct encoder *encoder, const struct annals_message *message,
                           json_t *object) {
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    if (annals_message_field_named(message, key) == NULL) {
      g_set_error(encoder->error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_EVENT, "%.80s: unknown member",
                  key);
      return false;
    }
  }
  for (size_t i = 0; i < message->field_count; i++) {
    value = member_of(object, &message->fields[i]);
    if (value != NULL && !append_value(encoder, &message->fields[i], value)) {
      return false;
    }
  }
  return true;
}

static bool check_required(struct encoder *encoder, const struct annals_message *message,
                           json_t *event) {
  static const char *const required[] = {"id", "type", "timestamp"};
  for (size_t i = 0; i < G_N_ELEMENTS(required); i++) {
    const struct annals_field *field = annals_message_field_named(message, required[i]);
    if (member_of(event, field) == NULL) {
      return fail(encoder, field, "missing");
    }
  }
  return true;
}

static bool check_ids(struct encoder *encoder, const struct annals_message *message, int64_t id,
                      int64_t previous) {
  if (id < 1) {
    return fail(encoder, annals_message_field_named(message, "id"), "must be 1 or more");
  }
  if (previous < 0 || previous >= id) {
    return fail(encoder, annals_message_field_named(message, "previousEventId"),
                "must be 0 or more and below id, which is %" PRId64, id);
  }
  return true;
}

static bool check_details(struct encoder *encoder, const struct annals_message *message,
                          json_t *event) {
  const struct annals_event_type *type =
      annals_schema_type_named(encoder->schema, json_string_value(json_object_get(event, "type")));
  for (size_t i = 0; i < message->field_count; i++) {
    const struct annals_field *field = &message->fields[i];
    if (field->details && field->number != type->details && member_of(event, field) != NULL) {
      return fail(encoder, field, "does not belong to an event of type %s", type->aws_name);
    }
  }
  return true;
}

/* What cannot be said of one member alone. Kinds and names have been checked. */
static bool check_event(struct encoder *encoder, json_t *event, int64_t *ret_id) {
  const struct annals_message *message = annals_schema_event(encoder->schema);
  int64_t id = json_integer_value(json_object_get(event, "id"));
  int64_t previous = json_integer_value(json_object_get(event, "previousEventId"));
  if (!check_required(encoder, message, event) || !check_ids(encoder, message, id, previous) ||
      !check_details(encoder, message, event)) {
    return false;
  }
  *ret_id = id;
  return true;
}

bool annals_aws_event_append(const struct annals_schema *schema, json_t *event,
                             struct annals_buffer *out, int64_t *ret_id, GError **error) {
  struct encoder encoder = {.schema = schema, .out = out, .error = error};
  size_t start = out->len;
  if (!append_members(&encoder, annals_schema_event(schema), event)) {
    return false;
  }
  if (out->len - start > ANNALS_CLIENT_EVENT_BYTES_MAX) {
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_LIMIT,
                "id: the event is %zu bytes, at most %d are allowed", out->len - start,
                (int)ANNALS_CLIENT_EVENT_BYTES_MAX);
    return false;
  }
  return check_event(&encoder, event, ret_id);
}
