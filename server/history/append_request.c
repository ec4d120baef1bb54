#include "server/history/append_request.h"

#include <string.h>

#include "server/history/arn.h"
#include "server/history/error.h"

static bool refuse_field(GError **error, const char *field, const char *value,
                         const char *constraint) {
  GError *failure = annals_error_new(ANNALS_REASON_INVALID_REQUEST, "%s: %s", field, constraint);
  annals_error_add_metadata(failure, "field", "%s", field);
  annals_error_add_violation(failure, field, value, constraint);
  g_propagate_error(error, failure);
  return false;
}

static bool check_state_machine(const char *arn, GError **error) {
  g_autoptr(GError) why = NULL;
  if (*arn == '\0' || annals_state_machine_arn_check(arn, &why)) {
    return true;
  }
  return refuse_field(error, "state_machine_arn", arn, why->message);
}

bool annals_append_request_check(const struct annals_append_request *request, GError **error) {
  if (!annals_execution_arn_check(request->execution_arn, error) ||
      !check_state_machine(request->state_machine_arn, error)) {
    return false;
  }
  if (strlen(request->map_run_arn) > ANNALS_MAP_RUN_ARN_BYTES_MAX) {
    return refuse_field(error, "map_run_arn", NULL,
                        "Member must have length less than or equal to 2000");
  }
  if (!g_utf8_validate(request->map_run_arn, -1, NULL)) {
    return refuse_field(error, "map_run_arn", NULL, "Member must be valid UTF-8");
  }
  if (request->item_count < 0) {
    return refuse_field(error, "item_count", NULL,
                        "Member must have value greater than or equal to 0");
  }
  if (strlen(request->trace_header) > ANNALS_TRACE_HEADER_BYTES_MAX ||
      !g_str_is_ascii(request->trace_header)) {
    return refuse_field(error, "trace_header", NULL,
                        "Member must have at most 256 characters, all of them ASCII");
  }
  return true;
}

bool annals_append_request_describes(const struct annals_append_request *request) {
  return *request->state_machine_arn != '\0' || *request->map_run_arn != '\0' ||
         request->item_count != 0 || *request->trace_header != '\0';
}

static bool differs(const char *given, const char *stored) {
  return *given != '\0' && strcmp(given, stored) != 0;
}

bool annals_append_request_check_unchanged(const struct annals_append_request *request,
                                           const struct annals_execution *stored, GError **error) {
  static const char constraint[] = "Member must be as the first append of the execution had it";
  if (differs(request->state_machine_arn, stored->state_machine_arn)) {
    return refuse_field(error, "state_machine_arn", request->state_machine_arn, constraint);
  }
  if (differs(request->map_run_arn, stored->map_run_arn)) {
    return refuse_field(error, "map_run_arn", NULL, constraint);
  }
  if (request->item_count != 0 && request->item_count != stored->item_count) {
    return refuse_field(error, "item_count", NULL, constraint);
  }
  if (differs(request->trace_header, stored->trace_header)) {
    return refuse_field(error, "trace_header", NULL, constraint);
  }
  return true;
}

void annals_append_request_execution(const struct annals_append_request *request,
                                     struct annals_execution *ret_execution) {
  *ret_execution = (struct annals_execution){
      .state_machine_arn = *request->state_machine_arn != '\0'
                               ? g_strdup(request->state_machine_arn)
                               : annals_execution_arn_state_machine(request->execution_arn),
      .map_run_arn = g_strdup(request->map_run_arn),
      .item_count = request->item_count,
      .trace_header = g_strdup(request->trace_header),
  };
}
