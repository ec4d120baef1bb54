#include "server/ops/http_arguments.h"

#include <string.h>

void annals_http_arguments_drop(const char *target) {
  char *query = strchr(target, '?');
  if (query != NULL) {
    query[1] = '\0';
  }
}
