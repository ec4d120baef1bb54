/*
 * Checks histories and records, beside each other in the order of ARNs.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_EXECUTION_CHECK_H_
#define ANNALS_STORAGE_ROCKSDB_EXECUTION_CHECK_H_

#include "storage/rocksdb/verification.h"

G_BEGIN_DECLS

/* Checks all executions. Adds up the places that records tell, or puts them right. */
void annals_execution_check_all(struct annals_verification *verification);

/* Gives the record that an execution should have, as far as can be told; NULL: none. Memory: the
 * caller unrefs it. */
G_GNUC_WARN_UNUSED_RESULT
GBytes *annals_execution_check_find_right(struct annals_verification *verification,
                                          const char *arn);

G_END_DECLS

#endif
