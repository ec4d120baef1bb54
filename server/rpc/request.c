#include "server/rpc/request.h"

#include <string.h>

#include "server/history/enum_name.h"
#include "server/history/error.h"

static bool invalid(GError **error, const char *field, const char *text) {
  GError *failure = annals_error_new(ANNALS_REASON_INVALID_REQUEST, "%s %s", field, text);
  annals_error_add_metadata(failure, "field", "%s", field);
  annals_error_add_violation(failure, field, NULL, text);
  g_propagate_error(error, failure);
  return false;
}

/* Takes a string field; the last one given wins. */
static bool take_text(const struct annals_wire_field *wire, const char *field, char **text,
                      GError **error) {
  if (wire->type != ANNALS_WIRE_BYTES) {
    return invalid(error, field, "has the wrong wire type");
  }
  if (memchr(wire->bytes, '\0', wire->size) != NULL) {
    return invalid(error, field, "holds a NUL character");
  }
  if (!g_utf8_validate_len((const char *)wire->bytes, wire->size, NULL)) {
    return invalid(error, field, "is not valid UTF-8");
  }
  g_free(*text);
  *text = g_strndup((const char *)wire->bytes, wire->size);
  return true;
}

static bool take_int32(const struct annals_wire_field *wire, const char *field, int32_t *value,
                       GError **error) {
  if (wire->type != ANNALS_WIRE_VARINT) {
    return invalid(error, field, "has the wrong wire type");
  }
  *value = (int32_t)wire->varint;
  return true;
}

static bool take_int64(const struct annals_wire_field *wire, const char *field, int64_t *value,
                       GError **error) {
  if (wire->type != ANNALS_WIRE_VARINT) {
    return invalid(error, field, "has the wrong wire type");
  }
  *value = (int64_t)wire->varint;
  return true;
}

/* Takes an enum as its value's name, or as its number where it is no value. */
static bool take_enum(const struct annals_wire_field *wire, const char *field,
                      const struct annals_enum *values, char **name, GError **error) {
  int32_t number = 0;
  if (!take_int32(wire, field, &number, error)) {
    return false;
  }
  const char *known = annals_enum_name(values, number);
  g_free(*name);
  *name = known != NULL || number == 0 ? g_strdup(known) : g_strdup_printf("%d", number);
  return true;
}

static bool take_bool(const struct annals_wire_field *wire, const char *field, bool *value,
                      GError **error) {
  if (wire->type != ANNALS_WIRE_VARINT) {
    return invalid(error, field, "has the wrong wire type");
  }
  *value = wire->varint != 0;
  return true;
}

/* google.protobuf.BoolValue, false where it does not say; parts are merged: the last value wins. */
static bool take_bool_value(const struct annals_wire_field *wire, const char *field, bool *given,
                            bool *value, GError **error) {
  if (wire->type != ANNALS_WIRE_BYTES) {
    return invalid(error, field, "has the wrong wire type");
  }
  struct annals_wire_reader reader = {wire->bytes, wire->bytes + wire->size};
  struct annals_wire_field part;
  enum annals_wire_result result;
  *value = *given && *value;
  *given = true;
  while ((result = annals_wire_next(&reader, &part)) == ANNALS_WIRE_FIELD) {
    if (part.number == 1 && !take_bool(&part, field, value, error)) {
      return false;
    }
  }
  return result == ANNALS_WIRE_END || invalid(error, field, "is not valid protobuf");
}

static bool unknown_field(const struct annals_wire_field *wire, GError **error) {
  g_autofree char *text = g_strdup_printf("has an unknown field %u", wire->number);
  return invalid(error, "request", text);
}

/* Takes a field of a message into what is made of it. */
typedef bool take_field_f(const struct annals_wire_field *wire, void *data, GError **error);

/* Takes all fields of a message, in the order they come. */
static bool read_fields(const uint8_t *bytes, size_t size, take_field_f *take_field, void *data,
                        GError **error) {
  struct annals_wire_reader reader = {bytes, bytes + size};
  struct annals_wire_field wire;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &wire)) == ANNALS_WIRE_FIELD) {
    if (!take_field(&wire, data, error)) {
      return false;
    }
  }
  return result == ANNALS_WIRE_END || invalid(error, "request", "is not valid protobuf");
}

static bool take_event(const struct annals_wire_field *wire, GArray *events, GError **error) {
  if (wire->type != ANNALS_WIRE_BYTES) {
    return invalid(error, "events", "has the wrong wire type");
  }
  if (events->len <= ANNALS_APPEND_EVENTS_MAX) {
    struct annals_event_bytes event = {wire->bytes, wire->size};
    g_array_append_val(events, event);
  }
  return true;
}

static bool take_encryption_field(const struct annals_wire_field *wire, void *data,
                                  GError **error) {
  struct annals_encryption *encryption = data;
  char *kms_key_id = (char *)encryption->kms_key_id;
  int32_t type = 0;
  bool ok;
  switch (wire->number) {
    case 1:
      ok = take_int32(wire, "encryption_configuration.type", &type, error);
      encryption->type = type;
      return ok;
    case 2:
      ok = take_text(wire, "encryption_configuration.kms_key_id", &kms_key_id, error);
      encryption->kms_key_id = kms_key_id;
      return ok;
    case 3:
      return take_int32(wire, "encryption_configuration.kms_data_key_reuse_period_seconds",
                        &encryption->reuse_seconds, error);
    default:
      return unknown_field(wire, error);
  }
}

/* Parts are merged, as of any message. */
static bool take_encryption(const struct annals_wire_field *wire,
                            struct annals_encryption *encryption, GError **error) {
  if (wire->type != ANNALS_WIRE_BYTES) {
    return invalid(error, "encryption_configuration", "has the wrong wire type");
  }
  encryption->given = true;
  return read_fields(wire->bytes, wire->size, take_encryption_field, encryption, error);
}

static bool take_append_field(const struct annals_wire_field *wire, void *data, GError **error) {
  struct annals_rpc_append_request *request = data;
  switch (wire->number) {
    case 1:
      return take_text(wire, "execution_arn", &request->execution_arn, error);
    case 2:
      return take_event(wire, request->events, error);
    case 3:
      return take_text(wire, "state_machine_arn", &request->state_machine_arn, error);
    case 4:
      return take_text(wire, "map_run_arn", &request->map_run_arn, error);
    case 5:
      return take_int32(wire, "item_count", &request->item_count, error);
    case 6:
      return take_text(wire, "trace_header", &request->trace_header, error);
    case 7:
      return take_encryption(wire, &request->encryption, error);
    default:
      return unknown_field(wire, error);
  }
}

bool annals_rpc_append_request_read(const uint8_t *bytes, size_t size,
                                    struct annals_rpc_append_request *ret_request, GError **error) {
  *ret_request = (struct annals_rpc_append_request){
      .execution_arn = g_strdup(""),
      .events = g_array_new(FALSE, FALSE, sizeof(struct annals_event_bytes)),
      .state_machine_arn = g_strdup(""),
      .map_run_arn = g_strdup(""),
      .trace_header = g_strdup(""),
      .encryption = {.kms_key_id = g_strdup("")},
  };
  return read_fields(bytes, size, take_append_field, ret_request, error);
}

void annals_rpc_append_request_clear(struct annals_rpc_append_request *request) {
  g_free(request->execution_arn);
  g_clear_pointer(&request->events, g_array_unref);
  g_free(request->state_machine_arn);
  g_free(request->map_run_arn);
  g_free(request->trace_header);
  g_free((char *)request->encryption.kms_key_id);
  *request = (struct annals_rpc_append_request){0};
}

static bool take_append(const struct annals_wire_field *wire, void *data, GError **error) {
  struct annals_wire_field *append = data;
  if (wire->number != 1) {
    return unknown_field(wire, error);
  }
  if (wire->type != ANNALS_WIRE_BYTES) {
    return invalid(error, "append", "has the wrong wire type");
  }
  if (append->number != 0) {
    return invalid(error, "append", "is given more than once");
  }
  *append = *wire;
  return true;
}

bool annals_rpc_append_stream_request_read(const uint8_t *bytes, size_t size,
                                           struct annals_wire_field *ret_append, GError **error) {
  struct annals_wire_field append = {.bytes = bytes};
  if (!read_fields(bytes, size, take_append, &append, error)) {
    return false;
  }
  *ret_append = append;
  return true;
}

static bool take_page_field(const struct annals_wire_field *wire, void *data, GError **error) {
  struct annals_rpc_page_request *request = data;
  switch (wire->number) {
    case 1:
      return take_text(wire, "execution_arn", &request->execution_arn, error);
    case 2:
      return take_int32(wire, "max_results", &request->max_results, error);
    case 3:
      return take_text(wire, "next_token", &request->next_token, error);
    case 4:
      return take_bool(wire, "reverse_order", &request->reverse_order, error);
    case 5:
      return take_bool_value(wire, "include_execution_data", &request->include_given,
                             &request->include_execution_data, error);
    default:
      return true;
  }
}

/* proto3: empty is absent. */
static void drop_empty(char **text) {
  if (*text != NULL && **text == '\0') {
    g_clear_pointer(text, g_free);
  }
}

bool annals_rpc_page_request_read(const uint8_t *bytes, size_t size,
                                  struct annals_rpc_page_request *ret_request, GError **error) {
  *ret_request = (struct annals_rpc_page_request){
      .execution_arn = g_strdup(""),
      .include_execution_data = true,
  };
  if (!read_fields(bytes, size, take_page_field, ret_request, error)) {
    return false;
  }
  drop_empty(&ret_request->next_token);
  return true;
}

void annals_rpc_page_request_clear(struct annals_rpc_page_request *request) {
  g_free(request->execution_arn);
  g_free(request->next_token);
  *request = (struct annals_rpc_page_request){0};
}

static bool take_watch_field(const struct annals_wire_field *wire, void *data, GError **error) {
  struct annals_rpc_watch_request *request = data;
  switch (wire->number) {
    case 1:
      return take_text(wire, "execution_arn", &request->execution_arn, error);
    case 2:
      return take_int64(wire, "from_event_id", &request->from_event_id, error);
    case 3:
      return take_bool_value(wire, "include_execution_data", &request->include_given,
                             &request->include_execution_data, error);
    case 4:
      return take_bool(wire, "follow_redrives", &request->follow_redrives, error);
    default:
      return true;
  }
}

bool annals_rpc_watch_request_read(const uint8_t *bytes, size_t size,
                                   struct annals_rpc_watch_request *ret_request, GError **error) {
  *ret_request = (struct annals_rpc_watch_request){
      .execution_arn = g_strdup(""),
      .include_execution_data = true,
  };
  return read_fields(bytes, size, take_watch_field, ret_request, error);
}

void annals_rpc_watch_request_clear(struct annals_rpc_watch_request *request) {
  g_free(request->execution_arn);
  *request = (struct annals_rpc_watch_request){0};
}

static bool take_delete_field(const struct annals_wire_field *wire, void *arn, GError **error) {
  return wire->number != 1 || take_text(wire, "execution_arn", arn, error);
}

bool annals_rpc_delete_request_read(const uint8_t *bytes, size_t size, char **ret_execution_arn,
                                    GError **error) {
  g_autofree char *arn = g_strdup("");
  if (!read_fields(bytes, size, take_delete_field, &arn, error)) {
    return false;
  }
  *ret_execution_arn = g_steal_pointer(&arn);
  return true;
}

static bool take_describe_field(const struct annals_wire_field *wire, void *data, GError **error) {
  struct annals_rpc_describe_request *request = data;
  switch (wire->number) {
    case 1:
      return take_text(wire, "execution_arn", &request->execution_arn, error);
    case 2:
      return take_enum(wire, "included_data", &annals_enum_included_data, &request->included_data,
                       error);
    default:
      return true;
  }
}

bool annals_rpc_describe_request_read(const uint8_t *bytes, size_t size,
                                      struct annals_rpc_describe_request *ret_request,
                                      GError **error) {
  *ret_request = (struct annals_rpc_describe_request){.execution_arn = g_strdup("")};
  return read_fields(bytes, size, take_describe_field, ret_request, error);
}

void annals_rpc_describe_request_clear(struct annals_rpc_describe_request *request) {
  g_free(request->execution_arn);
  g_free(request->included_data);
  *request = (struct annals_rpc_describe_request){0};
}

static bool take_list_field(const struct annals_wire_field *wire, void *data, GError **error) {
  struct annals_rpc_list_request *request = data;
  switch (wire->number) {
    case 1:
      return take_text(wire, "state_machine_arn", &request->state_machine_arn, error);
    case 2:
      return take_enum(wire, "status_filter", &annals_enum_execution_status,
                       &request->status_filter, error);
    case 3:
      return take_int32(wire, "max_results", &request->max_results, error);
    case 4:
      return take_text(wire, "next_token", &request->next_token, error);
    case 5:
      return take_text(wire, "map_run_arn", &request->map_run_arn, error);
    case 6:
      return take_enum(wire, "redrive_filter", &annals_enum_redrive_filter,
                       &request->redrive_filter, error);
    default:
      return true;
  }
}

bool annals_rpc_list_request_read(const uint8_t *bytes, size_t size,
                                  struct annals_rpc_list_request *ret_request, GError **error) {
  *ret_request = (struct annals_rpc_list_request){0};
  if (!read_fields(bytes, size, take_list_field, ret_request, error)) {
    return false;
  }
  drop_empty(&ret_request->state_machine_arn);
  drop_empty(&ret_request->map_run_arn);
  drop_empty(&ret_request->next_token);
  return true;
}

void annals_rpc_list_request_clear(struct annals_rpc_list_request *request) {
  g_free(request->state_machine_arn);
  g_free(request->status_filter);
  g_free(request->next_token);
  g_free(request->map_run_arn);
  g_free(request->redrive_filter);
  *request = (struct annals_rpc_list_request){0};
}

static bool take_backup_field(const struct annals_wire_field *wire, void *data, GError **error) {
  struct annals_rpc_backup_request *request = data;
  switch (wire->number) {
    case 1:
      return take_text(wire, "directory", &request->directory, error);
    case 2:
      return take_int32(wire, "keep", &request->keep, error);
    default:
      return unknown_field(wire, error);
  }
}

bool annals_rpc_backup_request_read(const uint8_t *bytes, size_t size,
                                    struct annals_rpc_backup_request *ret_request, GError **error) {
  *ret_request = (struct annals_rpc_backup_request){.directory = g_strdup("")};
  return read_fields(bytes, size, take_backup_field, ret_request, error);
}

void annals_rpc_backup_request_clear(struct annals_rpc_backup_request *request) {
  g_free(request->directory);
  *request = (struct annals_rpc_backup_request){0};
}

/* --- VerifyStoreRequest --- */

static bool take_verify_field(const struct annals_wire_field *wire, void *data, GError **error) {
  return wire->number == 1 ? take_int64(wire, "max_bytes_per_second", data, error) : true;
}

bool annals_rpc_verify_request_read(const uint8_t *bytes, size_t size,
                                    int64_t *ret_max_bytes_per_second, GError **error) {
  *ret_max_bytes_per_second = 0;
  return read_fields(bytes, size, take_verify_field, ret_max_bytes_per_second, error);
}
