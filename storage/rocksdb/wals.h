/*
 * Checks the write-ahead logs of a database: that each is whole, and that none is missing.
 *
 * A log that is gone tells nothing, but others do. Each record begins with the number of its first
 * change, so what was between two others leaves a gap. And the first and the newest are never gone:
 * the MANIFEST says from which numbers on there were logs, and what was the next file's number when
 * it said so; RocksDB keeps a log between them until a later edit is durable. So either the log was
 * taken away, or that later edit was. What is not known is how long the newest one was.
 * Source: RocksDB's db/db_impl/db_impl_open.cc and db_impl_write.cc, for when it makes logs.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_WALS_H_
#define ANNALS_STORAGE_ROCKSDB_WALS_H_

#include "storage/rocksdb/directory.h"

G_BEGIN_DECLS

/* Checks them. Cost: reads all that are needed. */
void annals_wals_check(struct annals_directory_check *check,
                       const struct annals_manifest *manifest);

/* Parses a file's name: its number, and that ending. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_wals_parse_name(const char *name, const char *ending, uint64_t *ret_number);

G_END_DECLS

#endif
