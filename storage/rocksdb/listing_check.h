/*
 * Checks listings against records.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_LISTING_CHECK_H_
#define ANNALS_STORAGE_ROCKSDB_LISTING_CHECK_H_

#include "storage/rocksdb/verification.h"

G_BEGIN_DECLS

/* Adds up the places that a record tells. NULL, and what is no record: none. */
void annals_listing_check_add(struct annals_verification *verification, const char *arn,
                              GBytes *record);

/* Has an execution stand in the places that right tells, with that record, and in none of those
 * that only old tells. Either may be NULL. */
void annals_listing_check_record(struct annals_verification *verification, const char *arn,
                                 GBytes *old, GBytes *right);

/*
 * Checks all entries of listings. When the sums do not agree, or when repairing, each of them is
 * looked at; and, when nothing is to be repaired, each place of each record.
 */
void annals_listing_check_all(struct annals_verification *verification);

G_END_DECLS

#endif
