/*
 * Lists of executions. Part of store.h, which includes it and says what they are.
 *
 * Floor 1.
 */
#ifndef ANNALS_STORAGE_LISTING_H_
#define ANNALS_STORAGE_LISTING_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/operation.h"

G_BEGIN_DECLS

enum {
  ANNALS_STORE_RANK_BYTES = 12,
  ANNALS_STORE_LIST_NAME_BYTES_MAX = 2048,
  ANNALS_STORE_LISTS_MAX = 16, /* that one listing merges */
};

/* Where an execution stands in a list. */
struct annals_store_place {
  const char *list;                      /* its name; 1..ANNALS_STORE_LIST_NAME_BYTES_MAX bytes */
  uint8_t rank[ANNALS_STORE_RANK_BYTES]; /* lists are in ascending order of rank, then of ARN */
};

/* A view of one entry of a list. */
struct annals_store_entry {
  const uint8_t *rank;
  const char *arn;
  const uint8_t *record;
  size_t record_bytes;
};

/*
 * Lists executions: the entries of one or several lists, merged in the order of rank and ARN.
 *
 * What was durable when the listing began is seen; what changes meanwhile is seen as it was or as
 * it is. Every entry stands behind the one before, so an execution that keeps its rank is seen
 * once, also if it stands in several of the lists, or changes from one to another under way.
 */
struct annals_store_list {
  struct annals_store_op op;
  const char *const *lists; /* their names; a list that nobody stands in is empty */
  size_t list_count;        /* 1..ANNALS_STORE_LISTS_MAX */
  /* Where to go on: behind this place, whether or not it is taken. Zeros and "": the beginning. */
  uint8_t after_rank[ANNALS_STORE_RANK_BYTES];
  const char *after_arn;

  /* Takes one entry; the view dies when it returns. Returns whether to go on. As on_run. */
  bool (*on_entry)(struct annals_store_list *list, const struct annals_store_entry *entry);
};

G_END_DECLS

#endif
