/*
 * The data keys of histories that are encrypted. Part of store.h, which includes it.
 *
 * Floor 1. An execution's data keys have ordinals, from 1 without gaps; frames name them
 * (frame.h). Each has a record, bytes that the store never looks into, in which the key is wrapped
 * by another one that the store does not have. An append brings a new one along; they go with the
 * execution.
 */
#ifndef ANNALS_STORAGE_DATA_KEY_H_
#define ANNALS_STORAGE_DATA_KEY_H_

#include <stddef.h>
#include <stdint.h>

#include "storage/operation.h"

G_BEGIN_DECLS

/* A view of one. */
struct annals_store_data_key {
  int64_t ordinal;
  const uint8_t *record;
  size_t record_bytes; /* >= 1 */
};

/* Gets the record of a data key. NOT_FOUND: the execution has none of this ordinal. */
struct annals_store_get_data_key {
  struct annals_store_op op;
  const char *arn;
  int64_t ordinal;
  GBytes *record; /* result; the caller unrefs it */
};

/*
 * Puts another record in the place of one. OK only when durable. CONFLICT: it is not the one that
 * was expected, or the execution has been deleted and begun anew meanwhile. Two of one data key at
 * a time are not allowed.
 */
struct annals_store_put_data_key {
  struct annals_store_op op;
  const char *arn;
  struct annals_store_data_key data_key;
  GBytes *expected;
};

G_END_DECLS

#endif
