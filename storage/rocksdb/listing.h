/*
 * Lists executions: merges the entries of several lists.
 *
 * A listing may take two passes, the first in memory only. Its position remembers how far the first
 * came; the second goes on behind it with a view of its own. Positions only ascend, so what changed
 * from one list to another in between, at its rank, is handed over once.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_LISTING_H_
#define ANNALS_STORAGE_ROCKSDB_LISTING_H_

#include <rocksdb/c.h>

#include "storage/rocksdb/cursor.h"
#include "storage/rocksdb/status.h"
#include "storage/store.h"

G_BEGIN_DECLS

/* Where to list, and how far to go for it. */
struct annals_lister {
  rocksdb_t *db;
  rocksdb_column_family_handle_t *listings;
  enum annals_tier tier;
  char detail[ANNALS_STORE_DETAIL_BYTES]; /* result of a failure */
};

/* Returns the position (list_key.h) behind which a listing begins. */
G_GNUC_WARN_UNUSED_RESULT
GByteArray *annals_listing_start(const struct annals_store_list *list);

/*
 * Hands over entries behind position until the lists end, until on_entry has enough, or until the
 * tier does not do (INCOMPLETE); position moves along.
 *
 * Cost: a seek for each list, a step for each entry.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_status annals_listing_pass(struct annals_lister *lister, struct annals_store_list *list,
                                       GByteArray *position);

G_END_DECLS

#endif
