/*
 * Keys of the column family `listings`.
 *
 *   entry   name of the list  00  rank (12 bytes)  ARN
 *
 * The value is the record of the execution. A name holds no NUL, so no list's entries fall between
 * those of another whose name is a prefix. What stands behind the NUL is the entry's position: in
 * any list positions are in the order of rank, then of ARN.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_LIST_KEY_H_
#define ANNALS_STORAGE_ROCKSDB_LIST_KEY_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/store.h"

G_BEGIN_DECLS

/* Makes key the key of an execution's place. Its buffer is reused. */
void annals_list_key_set(GByteArray *key, const struct annals_store_place *place, const char *arn,
                         size_t arn_size);

/* Makes key the upper bound of a list's entries. */
void annals_list_key_set_end(GByteArray *key, const char *list);

/* Finds the position in a key of a list whose name is of that size. Returns false when it is not a
 * key. Memory: a view of bytes. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_list_key_parse(const uint8_t *bytes, size_t size, size_t list_size,
                           const uint8_t **ret_position, size_t *ret_position_size);

G_END_DECLS

#endif
