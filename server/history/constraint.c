#include "server/history/constraint.h"

#include <string.h>

#include "server/history/arn.h"
#include "server/history/error.h"

void annals_constraint_violated(GError **error, const char *field, const char *value,
                                const char *constraint) {
  if (*error == NULL) {
    *error = annals_error_new(ANNALS_REASON_INVALID_REQUEST, "%s: %s", field, constraint);
    annals_error_add_metadata(*error, "field", "%s", field);
  }
  annals_error_add_violation(*error, field, value, constraint);
}

void annals_constraint_length(GError **error, const char *field, const char *value,
                              size_t bytes_max) {
  if (value == NULL) {
    return;
  }
  if (*value == '\0') {
    annals_constraint_violated(error, field, value,
                               "Member must have length greater than or equal to 1");
  } else if (strlen(value) > bytes_max) {
    g_autofree char *constraint =
        g_strdup_printf("Member must have length less than or equal to %zu", bytes_max);
    annals_constraint_violated(error, field, value, constraint);
  }
}

void annals_constraint_execution_arn(GError **error, const char *arn) {
  if (arn == NULL) {
    annals_constraint_violated(error, "execution_arn", NULL, "Member must not be null");
  }
  annals_constraint_length(error, "execution_arn", arn, ANNALS_ARN_BYTES_MAX);
}

void annals_constraint_max_results(GError **error, int64_t max_results, int max) {
  g_autofree char *value = g_strdup_printf("%" G_GINT64_FORMAT, max_results);
  if (max_results < 0) {
    annals_constraint_violated(error, "max_results", value,
                               "Member must have value greater than or equal to 0");
  } else if (max_results > max) {
    g_autofree char *constraint =
        g_strdup_printf("Member must have value less than or equal to %d", max);
    annals_constraint_violated(error, "max_results", value, constraint);
  }
}

void annals_constraint_enum(GError **error, const char *field, const char *value,
                            const struct annals_enum *values) {
  if (value != NULL && annals_enum_number(values, value) == 0) {
    g_autofree char *constraint =
        g_strdup_printf("Member must satisfy enum value set: %s", values->value_set);
    annals_constraint_violated(error, field, value, constraint);
  }
}
