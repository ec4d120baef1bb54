#include "storage/rocksdb/memory_odds.h"

bool annals_memory_odds_ask(struct annals_memory_odds *odds) {
  guint missed = (guint)g_atomic_int_get(&odds->missed);
  if (missed < ANNALS_MEMORY_ODDS_LONG || missed % ANNALS_MEMORY_ODDS_ONE_IN == 0) {
    return true;
  }
  g_atomic_int_inc(&odds->missed);
  return false;
}

void annals_memory_odds_note(struct annals_memory_odds *odds, bool found) {
  if (!found) {
    g_atomic_int_inc(&odds->missed);
  } else if (g_atomic_int_get(&odds->missed) != 0) {
    g_atomic_int_set(&odds->missed, 0);
  }
}
