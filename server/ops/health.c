#include "server/ops/health.h"

void annals_health_set_phase(struct annals_health *health, enum annals_health_phase phase) {
  g_atomic_int_set(&health->phase, (gint)phase);
  const struct annals_health_listener *listener = g_atomic_pointer_get(&health->listener);
  if (listener != NULL) {
    listener->on_change(listener->context);
  }
}

void annals_health_set_probe(struct annals_health *health,
                             const struct annals_health_probe *probe) {
  g_atomic_pointer_set(&health->probe, probe);
}

void annals_health_set_listener(struct annals_health *health,
                                const struct annals_health_listener *listener) {
  g_atomic_pointer_set(&health->listener, listener);
}

static const struct annals_health_probe *probe_of(const struct annals_health *health) {
  /* GLib's macro takes no const. */
  return g_atomic_pointer_get(&((struct annals_health *)health)->probe);
}

const char *annals_health_what_is_amiss(const struct annals_health *health) {
  const struct annals_health_probe *probe = probe_of(health);
  return probe == NULL || probe->what_is_amiss == NULL ? NULL
                                                       : probe->what_is_amiss(probe->context);
}

bool annals_health_is_live(const struct annals_health *health, const char **ret_why) {
  const struct annals_health_probe *probe = probe_of(health);
  const char *why = probe == NULL ? NULL : probe->why_dead(probe->context);
  if (why != NULL) {
    *ret_why = why;
  }
  return why == NULL;
}

bool annals_health_is_ready(const struct annals_health *health, const char **ret_why) {
  gint phase = g_atomic_int_get(&health->phase);
  if (phase == ANNALS_HEALTH_READY) {
    return true;
  }
  *ret_why = phase == ANNALS_HEALTH_STARTING ? "starting" : "stopping";
  return false;
}
