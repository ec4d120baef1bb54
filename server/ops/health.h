/*
 * How the server is: what /livez, /readyz and gRPC's health service answer from.
 *
 * Floor 1. Live: false when only a restart can help. Ready: whether calls may be sent here; a
 * server whose disk is full, or whose writes have stopped, stays ready for reads.
 *
 *   STARTING --> READY --> DRAINING
 *        \___________________/
 *
 * Threads: any, for all functions.
 */
#ifndef ANNALS_SERVER_OPS_HEALTH_H_
#define ANNALS_SERVER_OPS_HEALTH_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

enum annals_health_phase {
  ANNALS_HEALTH_STARTING,
  ANNALS_HEALTH_READY,
  ANNALS_HEALTH_DRAINING,
};

/* Asks a part of the server whether it can go on without a restart. */
struct annals_health_probe {
  /* Returns NULL, or a static sentence that says why not: `writes have stopped`. Must be quick. */
  const char *(*why_dead)(void *context);
  /* Returns NULL, or a static sentence that says what does not work while the rest does. */
  const char *(*what_is_amiss)(void *context);
  void *context;
};

/* Wants to know of every change of phase. */
struct annals_health_listener {
  void (*on_change)(void *context); /* on the thread that has set the phase */
  void *context;
};

/* Private; to be zeroed, which is STARTING without a probe. */
struct annals_health {
  gint phase;
  const struct annals_health_probe *probe;
  const struct annals_health_listener *listener;
};

/* Moves on to a phase. */
void annals_health_set_phase(struct annals_health *health, enum annals_health_phase phase);

/*
 * Sets what is asked for liveness from now on; NULL: nothing, the server is live.
 *
 * Memory: probe must outlive its use, which ends when everybody who may ask has stopped.
 */
void annals_health_set_probe(struct annals_health *health, const struct annals_health_probe *probe);

/*
 * Sets who is told of changes from now on; NULL: nobody.
 *
 * Memory: listener must outlive its use. Threads: not while another one sets the phase.
 */
void annals_health_set_listener(struct annals_health *health,
                                const struct annals_health_listener *listener);

/* Tells whether the server is live; if not, ret_why gets a static sentence. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_health_is_live(const struct annals_health *health, const char **ret_why);

/* Tells what does not work of a server that is live and ready: a static sentence, or NULL. */
const char *annals_health_what_is_amiss(const struct annals_health *health);

/* Tells whether the server is ready; if not, ret_why gets a static sentence. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_health_is_ready(const struct annals_health *health, const char **ret_why);

G_END_DECLS

#endif
