/*
 * What systemd is told of the server, where it started it: that it is ready, that it reads its
 * files again, that it stops, and every now and then that it is live.
 *
 * Floor 4. Without systemd, which is to say without its socket in the environment, all of this does
 * nothing.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3).
 *
 * Threads: one.
 */
#ifndef ANNALS_SERVER_NOTIFY_H_
#define ANNALS_SERVER_NOTIFY_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

struct annals_notify {
  gint64 beat_us; /* how often to tell that the server is live; 0: not asked for */
};

/* Finds out what systemd wants to know. */
void annals_notify_init(struct annals_notify *notify);

/* Calls are served. status: one line for people, such as the addresses. */
void annals_notify_ready(const char *status);

/* Files are read again; annals_notify_reloaded() follows. */
void annals_notify_reloading(void);
void annals_notify_reloaded(void);

void annals_notify_stopping(void);

/*
 * Tells that the server is live, where that is asked for. To be called every beat_us. Whoever is
 * not live says nothing, and systemd restarts it.
 */
void annals_notify_beat(const struct annals_notify *notify);

G_END_DECLS

#endif
