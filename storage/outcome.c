#include "storage/outcome.h"

const char *annals_store_outcome_name(enum annals_store_outcome outcome) {
  switch (outcome) {
    case ANNALS_STORE_OK:
      return "ok";
    case ANNALS_STORE_NOT_FOUND:
      return "not_found";
    case ANNALS_STORE_CONFLICT:
      return "conflict";
    case ANNALS_STORE_CORRUPT:
      return "corrupt";
    case ANNALS_STORE_NO_SPACE:
      return "no_space";
    case ANNALS_STORE_UNAVAILABLE:
      return "unavailable";
    case ANNALS_STORE_UNKNOWN:
      return "unknown";
    case ANNALS_STORE_BUSY:
      return "busy";
    case ANNALS_STORE_REFUSED:
      return "refused";
    case ANNALS_STORE_FAILED:
      return "failed";
  }
  return "invalid";
}

const char *annals_store_health_name(enum annals_store_health health) {
  switch (health) {
    case ANNALS_STORE_HEALTHY:
      return "healthy";
    case ANNALS_STORE_FULL:
      return "full";
    case ANNALS_STORE_WRITES_STOPPED:
      return "writes_stopped";
  }
  return "invalid";
}

void annals_store_op_set(struct annals_store_op *op, enum annals_store_outcome outcome,
                         const char *detail) {
  op->outcome = outcome;
  g_strlcpy(op->detail, detail != NULL ? detail : "", sizeof op->detail);
  /* Engines quote libraries; a log line is one line. */
  g_strdelimit(op->detail, "\r\n", ' ');
  /* It ends where a character was cut in two, by the copy above or before. */
  const char *end;
  if (!g_utf8_validate(op->detail, -1, &end)) {
    op->detail[end - op->detail] = '\0';
  }
}
