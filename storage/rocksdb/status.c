#include "storage/rocksdb/status.h"

#include <string.h>

/* The prefixes are those of RocksDB's util/status.cc. */
enum annals_status annals_status_classify(const char *error) {
  if (error == NULL) {
    return ANNALS_STATUS_OK;
  }
  if (g_str_has_prefix(error, "Result incomplete")) {
    return ANNALS_STATUS_INCOMPLETE;
  }
  if (g_str_has_prefix(error, "NotFound")) {
    return ANNALS_STATUS_NOT_FOUND;
  }
  if (g_str_has_prefix(error, "Corruption")) {
    return ANNALS_STATUS_CORRUPT;
  }
  if (!g_str_has_prefix(error, "IO error")) {
    return ANNALS_STATUS_FAILED;
  }
  /* Two processes meet at fcntl's lock; two stores of one process at RocksDB's own table. */
  if (strstr(error, "While lock file") != NULL || strstr(error, "lock hold by current") != NULL) {
    return strstr(error, "Permission denied") != NULL ? ANNALS_STATUS_DENIED : ANNALS_STATUS_LOCKED;
  }
  if (strstr(error, "Permission denied") != NULL ||
      strstr(error, "Operation not permitted") != NULL ||
      strstr(error, "Read-only file system") != NULL) {
    return ANNALS_STATUS_DENIED;
  }
  if (strstr(error, "No space left") != NULL || strstr(error, "Disk quota exceeded") != NULL) {
    return ANNALS_STATUS_NO_SPACE;
  }
  /* Not what passes with the load: too many open files, no memory. */
  if (strstr(error, "Input/output error") != NULL || strstr(error, "No such file") != NULL ||
      strstr(error, "Structure needs cleaning") != NULL) {
    return ANNALS_STATUS_UNREADABLE;
  }
  return ANNALS_STATUS_FAILED;
}

/* Writes write the log, and of that one's failure nobody knows what was done. All else is written
 * by flushes and compactions. */
bool annals_status_is_refused_for_room(const char *error) {
  return annals_status_classify(error) == ANNALS_STATUS_NO_SPACE && strstr(error, ".log") == NULL &&
         (strstr(error, ".sst") != NULL || strstr(error, "MANIFEST-") != NULL);
}

enum annals_store_outcome annals_status_outcome(enum annals_status status) {
  switch (status) {
    case ANNALS_STATUS_OK:
      return ANNALS_STORE_OK;
    case ANNALS_STATUS_NOT_FOUND:
      return ANNALS_STORE_NOT_FOUND;
    case ANNALS_STATUS_CORRUPT:
    case ANNALS_STATUS_UNREADABLE:
      return ANNALS_STORE_CORRUPT;
    case ANNALS_STATUS_INCOMPLETE:
      g_assert_not_reached();
    case ANNALS_STATUS_LOCKED:
    case ANNALS_STATUS_DENIED:
    case ANNALS_STATUS_NO_SPACE:
    case ANNALS_STATUS_FAILED:
      break;
  }
  return ANNALS_STORE_UNAVAILABLE;
}
