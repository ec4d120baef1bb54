/*
 * Outcomes of store operations: their names, and how an engine sets them.
 *
 * Floor 1.
 */
#ifndef ANNALS_STORAGE_OUTCOME_H_
#define ANNALS_STORAGE_OUTCOME_H_

#include "storage/store.h"

G_BEGIN_DECLS

/* The name for logs and metric labels, lower case: "ok", "not_found". Static. */
const char *annals_store_outcome_name(enum annals_store_outcome outcome);

/* The name for logs and metric labels: "healthy", "full", "writes_stopped". Static. */
const char *annals_store_health_name(enum annals_store_health health);

/* Sets the outcome and a detail of one line of UTF-8, cut to fit. detail may be NULL. */
void annals_store_op_set(struct annals_store_op *op, enum annals_store_outcome outcome,
                         const char *detail);

G_END_DECLS

#endif
