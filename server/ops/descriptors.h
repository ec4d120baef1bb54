/*
 * How many files and sockets the process may have open.
 *
 * Floor 1. Shells and services start with a limit of 1,024, for the sake of select(2), and may have
 * many times as much. A thousand idle connections must not use up what the store needs: a file that
 * RocksDB cannot open stops its writes until the next start.
 */
#ifndef ANNALS_SERVER_OPS_DESCRIPTORS_H_
#define ANNALS_SERVER_OPS_DESCRIPTORS_H_

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Tells how many descriptors the process may have open. */
int64_t annals_descriptors_limit(void);

/* Raises that to the most that it may be raised to, and returns it. */
int64_t annals_descriptors_raise(void);

G_END_DECLS

#endif
