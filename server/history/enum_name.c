#include "server/history/enum_name.h"

const struct annals_enum annals_enum_execution_status = {
    {NULL, "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"},
    "[SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]",
};

const struct annals_enum annals_enum_redrive_filter = {
    {NULL, "REDRIVEN", "NOT_REDRIVEN"},
    "[REDRIVEN, NOT_REDRIVEN]",
};

const struct annals_enum annals_enum_included_data = {
    {NULL, "ALL_DATA", "METADATA_ONLY"},
    "[ALL_DATA, METADATA_ONLY]",
};

const char *annals_enum_name(const struct annals_enum *values, int number) {
  return number >= 0 && number <= ANNALS_ENUM_VALUES_MAX ? values->names[number] : NULL;
}

int annals_enum_number(const struct annals_enum *values, const char *name) {
  for (int number = 1; number <= ANNALS_ENUM_VALUES_MAX; number++) {
    if (g_strcmp0(values->names[number], name) == 0) {
      return name != NULL ? number : 0;
    }
  }
  return 0;
}
