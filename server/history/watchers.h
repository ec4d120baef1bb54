/*
 * Who wants to know when an execution changes.
 *
 * Floor 2, of the domain alone. An operation that has changed an execution says so; whoever waits
 * for that execution is told, and looks for himself what there is. Nothing is queued.
 *
 * Threads: any, for all functions. One lock, pthread's because ThreadSanitizer does not see into
 * GLib's; on_change is called under it, and may take locks that are never held around a call of
 * this file.
 */
#ifndef ANNALS_SERVER_HISTORY_WATCHERS_H_
#define ANNALS_SERVER_HISTORY_WATCHERS_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_watchers; /* all of a history's */
struct annals_watched;  /* an execution that somebody watches */

/* Somebody who watches an execution. Zero it before use, and set on_change. */
struct annals_watcher {
  /* Called once behind each wait that was to be. Quick; must not call back. */
  void (*on_change)(struct annals_watcher *watcher);

  /* Private from here on. */
  struct annals_watched *watched; /* NULL: nothing is watched */
  GList link;                     /* in watched */
  bool waiting;
};

struct annals_watchers *annals_watchers_new(void);
/* Nobody watches any more. */
void annals_watchers_free(struct annals_watchers *watchers);

/* Begins to watch: whatever is changed from now on is told. Memory: arn is copied. */
void annals_watchers_join(struct annals_watchers *watchers, struct annals_watcher *watcher,
                          const char *arn);

/* Ends it; on_change is not called any more when this returns. A watcher that has not joined is
 * fine. */
void annals_watchers_leave(struct annals_watchers *watchers, struct annals_watcher *watcher);

/* How an execution stands with those who watch it. */
struct annals_watch_version {
  uint64_t changes; /* that have been told of */
  int64_t last_id;  /* of the events that have been told of; 0: none has */
  bool deleted;     /* the execution that was watched is gone, though its name may be back */
};

struct annals_watch_version annals_watchers_version(struct annals_watchers *watchers,
                                                    const struct annals_watcher *watcher);

/* Waits for on_change. Returns false where there has been a change since that version. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_watchers_wait(struct annals_watchers *watchers, struct annals_watcher *watcher,
                          uint64_t changes);

/*
 * Tells that an execution has changed, after it has: events up to last_id have been appended, or it
 * has been deleted, with 0.
 * Cost: an atomic load while nobody watches anything, else a look-up.
 */
void annals_watchers_tell(struct annals_watchers *watchers, const char *arn, int64_t last_id);

G_END_DECLS

#endif
