#include "server/history/append_request.h"

#include <string.h>

#include "server/history/arn.h"
#include "server/history/error.h"
#include "server/kms/data_keys.h"

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

static bool check_encryption(const struct annals_encryption *encryption, GError **error) {
  const bool has_key = encryption->given && *encryption->kms_key_id != '\0';
  const bool is_customers = encryption->type == ANNALS_ENCRYPTION_CUSTOMER_MANAGED_KMS_KEY;
  if (!encryption->given) {
    return true;
  }
  if (!is_customers && encryption->type != ANNALS_ENCRYPTION_AWS_OWNED_KEY) {
    return refuse_field(error, "encryption_configuration.type", NULL,
                        "Member must satisfy enum value set: "
                        "[AWS_OWNED_KEY, CUSTOMER_MANAGED_KMS_KEY]");
  }
  if (is_customers != has_key) {
    return refuse_field(error, "encryption_configuration.kms_key_id", NULL,
                        "Member must be given with CUSTOMER_MANAGED_KMS_KEY, and with it alone");
  }
  if (strlen(encryption->kms_key_id) > ANNALS_KMS_KEY_ID_BYTES_MAX ||
      !g_utf8_validate(encryption->kms_key_id, -1, NULL)) {
    return refuse_field(error, "encryption_configuration.kms_key_id", NULL,
                        "Member must have length less than or equal to 2048");
  }
  int32_t seconds = encryption->reuse_seconds;
  if (seconds != 0 &&
      (!is_customers || seconds < ANNALS_REUSE_SECONDS_MIN || seconds > ANNALS_REUSE_SECONDS_MAX)) {
    return refuse_field(error, "encryption_configuration.kms_data_key_reuse_period_seconds", NULL,
                        "Member must have value from 60 to 900, and a key");
  }
  return true;
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
  return check_encryption(&request->encryption, error);
}

bool annals_append_request_describes(const struct annals_append_request *request) {
  return *request->state_machine_arn != '\0' || *request->map_run_arn != '\0' ||
         request->item_count != 0 || *request->trace_header != '\0' || request->encryption.given;
}

static bool differs(const char *given, const char *stored) {
  return *given != '\0' && strcmp(given, stored) != 0;
}

static bool encryption_differs(const struct annals_encryption *given,
                               const struct annals_execution *stored) {
  return given->given &&
         (strcmp(given->kms_key_id, stored->kms_key_id) != 0 ||
          (given->reuse_seconds != 0 && given->reuse_seconds != stored->reuse_seconds));
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
  if (encryption_differs(&request->encryption, stored)) {
    return refuse_field(error, "encryption_configuration", NULL, constraint);
  }
  return true;
}

void annals_append_request_execution(const struct annals_append_request *request,
                                     const struct annals_encryption *encryption,
                                     struct annals_execution *ret_execution) {
  const bool encrypted = encryption->given && *encryption->kms_key_id != '\0';
  *ret_execution = (struct annals_execution){
      .state_machine_arn = *request->state_machine_arn != '\0'
                               ? g_strdup(request->state_machine_arn)
                               : annals_execution_arn_state_machine(request->execution_arn),
      .map_run_arn = g_strdup(request->map_run_arn),
      .item_count = request->item_count,
      .trace_header = g_strdup(request->trace_header),
      .kms_key_id = g_strdup(encrypted ? encryption->kms_key_id : ""),
      .reuse_seconds = !encrypted                       ? 0
                       : encryption->reuse_seconds != 0 ? encryption->reuse_seconds
                                                        : ANNALS_REUSE_SECONDS_DEFAULT,
  };
}
