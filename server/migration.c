#include "server/migration.h"

#include "server/ops/log.h"

static const int64_t TELL_US = 5 * G_USEC_PER_SEC;

static bool tell(void *data, const struct annals_rocksdb_migration *so_far) {
  struct annals_migration *migration = data;
  const struct annals_store_verify_summary *summary = so_far->summary;
  int64_t now_us = g_get_monotonic_time();
  if (so_far->done || now_us - migration->told_us >= TELL_US) {
    migration->told_us = now_us;
    annals_log_info(so_far->done ? "migrated the store" : "migrating the store",
                    ANNALS_LOG_NUMBER("from_version", so_far->from_version),
                    ANNALS_LOG_NUMBER("to_version", so_far->to_version),
                    ANNALS_LOG_NUMBER("executions", summary->executions),
                    ANNALS_LOG_NUMBER("events", summary->events),
                    ANNALS_LOG_NUMBER("changed", summary->repaired),
                    ANNALS_LOG_NUMBER("damaged", summary->faults - summary->repaired));
  }
  return true;
}

void annals_migration_init(struct annals_migration *migration, const struct annals_schema *schema,
                           struct annals_rocksdb_options *options) {
  *migration = (struct annals_migration){.audit = annals_audit_new(schema)};
  options->auditor = annals_audit_auditor(migration->audit);
  options->on_migration = tell;
  options->migration_data = migration;
}

void annals_migration_clear(struct annals_migration *migration) {
  g_clear_pointer(&migration->audit, annals_audit_free);
}
