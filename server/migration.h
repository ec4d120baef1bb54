/*
 * Has a store of an older schema version migrated when it is opened, and the log tell of it.
 *
 * Floor 4.
 */
#ifndef ANNALS_SERVER_MIGRATION_H_
#define ANNALS_SERVER_MIGRATION_H_

#include "server/history/audit.h"
#include "storage/rocksdb/rocksdb_store.h"

G_BEGIN_DECLS

struct annals_migration {
  struct annals_audit *audit;
  int64_t told_us;
};

/* Sets what options say of migrations. Memory: both outlive the opening; the schema, too. */
void annals_migration_init(struct annals_migration *migration, const struct annals_schema *schema,
                           struct annals_rocksdb_options *options);
void annals_migration_clear(struct annals_migration *migration);

G_END_DECLS

#endif
