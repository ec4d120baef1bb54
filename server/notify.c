#include "server/notify.h"

#include <systemd/sd-daemon.h>

/* A beat that comes late by as much again is still in time. */
enum { BEATS_PER_WATCHDOG = 2 };

void annals_notify_init(struct annals_notify *notify) {
  uint64_t watchdog_us = 0;
  bool wanted = sd_watchdog_enabled(0, &watchdog_us) > 0;
  notify->beat_us = wanted ? (gint64)MIN(watchdog_us, G_MAXINT64) / BEATS_PER_WATCHDOG : 0;
}

void annals_notify_ready(const char *status) {
  (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void annals_notify_reloading(void) {
  (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
}

void annals_notify_reloaded(void) {
  (void)sd_notify(0, "READY=1");
}

void annals_notify_stopping(void) {
  (void)sd_notify(0, "STOPPING=1");
}

void annals_notify_beat(const struct annals_notify *notify) {
  if (notify->beat_us > 0) {
    (void)sd_notify(0, "WATCHDOG=1");
  }
}
