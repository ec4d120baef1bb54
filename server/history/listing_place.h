/*
 * Where an execution stands in lists.
 *
 * Floor 2. The store has one list for each parent, status and whether there was a redrive: so a
 * listing, whatever its filters, merges at most 10 lists, and an execution costs one entry for each
 * parent. Parents are its state machine, that one's version and alias, and its map run. What events
 * and appends name as such is kept as it comes: what is no such ARN, or a version or alias of
 * another state machine, is told of the execution, but is no parent.
 *
 * The name of a list is the parent's ARN, a space and two letters. ARNs that are listed by hold no
 * space, and those of different parents differ.
 *
 * Who has ended stands in one more list, with all others who have: in the order in which they
 * ended, for what is done with executions some time after that.
 */
#ifndef ANNALS_SERVER_HISTORY_LISTING_PLACE_H_
#define ANNALS_SERVER_HISTORY_LISTING_PLACE_H_

#include "server/history/execution_record.h"
#include "storage/store.h"

G_BEGIN_DECLS

enum { ANNALS_LISTING_PLACES_MAX = 5 };

/* The list of all who have ended; its rank is annals_listing_closed_rank. No ARN is called so. */
#define ANNALS_LISTING_CLOSED "closed"

/* The places of one execution. */
struct annals_listing_places {
  struct annals_store_place places[ANNALS_LISTING_PLACES_MAX];
  char *lists[ANNALS_LISTING_PLACES_MAX]; /* their names, owned */
  size_t count;
};

/* Gives the name of a list. Memory: g_free() it. */
G_GNUC_WARN_UNUSED_RESULT
char *annals_listing_name(const char *parent_arn, enum annals_status status, bool redriven);

/* Gives the rank of who has ended at that time: it goes up with the time. */
void annals_listing_closed_rank(int64_t stop_seconds, int32_t stop_nanos,
                                uint8_t ret_rank[ANNALS_STORE_RANK_BYTES]);

/* Gives the places of an execution. Memory: the caller clears them. */
void annals_listing_places_init(struct annals_listing_places *places,
                                const struct annals_execution *execution);

void annals_listing_places_clear(struct annals_listing_places *places);

G_END_DECLS

#endif
