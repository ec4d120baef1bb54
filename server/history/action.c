#include "server/history/action.h"

#include <string.h>

static const char *const names[] = {
#define ANNALS_ACTION(action, name) name,
#include "server/history/action.def"
#undef ANNALS_ACTION
};

const char *annals_action_name(enum annals_action action) {
  g_assert((size_t)action < G_N_ELEMENTS(names));
  return names[action];
}

const char *annals_action_operation(enum annals_action action) {
  return strchr(annals_action_name(action), ':') + 1;
}
