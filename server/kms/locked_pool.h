/*
 * Memory for keys: locked, so that it is never swapped, left out of core dumps, and not inherited
 * by children.
 *
 * Floor 1. One mapping of slots of equal size between two pages that nobody may touch. Threads: its
 * user's lock guards it.
 */
#ifndef ANNALS_SERVER_KMS_LOCKED_POOL_H_
#define ANNALS_SERVER_KMS_LOCKED_POOL_H_

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_locked_pool;

/*
 * Maps and locks memory for so many slots.
 *
 * Errors: G_FILE_ERROR: the memory is not to be had, or may not be locked (RLIMIT_MEMLOCK).
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_locked_pool *annals_locked_pool_new(size_t slot_bytes, size_t slot_count,
                                                  GError **error);

/* Wipes and unmaps all slots. NULL is fine. */
void annals_locked_pool_free(struct annals_locked_pool *pool);

/* Gives a slot, its bytes 0, or NULL when all are taken. */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_locked_pool_take(struct annals_locked_pool *pool);

/* Wipes a slot and takes it back. */
void annals_locked_pool_give(struct annals_locked_pool *pool, uint8_t *slot);

G_END_DECLS

#endif
