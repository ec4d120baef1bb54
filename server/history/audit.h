/*
 * Checks executions against what their histories say, on behalf of a store that is verified,
 * repaired or migrated.
 *
 * Floor 2. An event is as an append leaves it: its id follows the one before, its type is known,
 * its time does not go back. A record is what the events make of it; what only the first append
 * told is taken from the record as it is, or, if that is lost, from the execution's ARN.
 */
#ifndef ANNALS_SERVER_HISTORY_AUDIT_H_
#define ANNALS_SERVER_HISTORY_AUDIT_H_

#include "proto/schema.h"
#include "storage/store.h"

G_BEGIN_DECLS

struct annals_audit;

/* Memory: the caller frees it; the schema outlives it. Threads: one at a time. */
struct annals_audit *annals_audit_new(const struct annals_schema *schema);
void annals_audit_free(struct annals_audit *audit);

/* Gives what a store asks: a view. */
struct annals_store_auditor *annals_audit_auditor(struct annals_audit *audit);

G_END_DECLS

#endif
