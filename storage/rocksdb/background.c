#include "storage/rocksdb/background.h"

#include "storage/rocksdb/damage.h"
#include "storage/rocksdb/status.h"

/* Returns the error to free with rocksdb_free, or NULL. Adds nothing to a log that the disk may
 * have no room for, and does not wait where writes are slowed down. */
static char *write_nothing(struct annals_engine *engine) {
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_disable_WAL(options, 1);
  rocksdb_writeoptions_set_no_slowdown(options, 1);
  rocksdb_writebatch_t *nothing = rocksdb_writebatch_create();
  char *error = NULL;
  rocksdb_write(engine->db, options, nothing, &error);
  rocksdb_writebatch_destroy(nothing);
  rocksdb_writeoptions_destroy(options);
  return error;
}

static enum annals_background classify(const char *error) {
  enum annals_status status = annals_status_classify(error);
  if (status == ANNALS_STATUS_OK || status == ANNALS_STATUS_INCOMPLETE) {
    return ANNALS_BACKGROUND_WELL;
  }
  return annals_status_is_refused_for_room(error) ? ANNALS_BACKGROUND_WAITS_FOR_ROOM
                                                  : ANNALS_BACKGROUND_FAILED;
}

enum annals_background annals_background_look(struct annals_engine *engine) {
  uint64_t failures = 0;
  if (rocksdb_property_int(engine->db, "rocksdb.background-errors", &failures) != 0 ||
      failures == (guint)g_atomic_int_get(&engine->failures_forgiven)) {
    return ANNALS_BACKGROUND_WELL;
  }
  char *error = write_nothing(engine);
  enum annals_background state = classify(error);
  if (error == NULL) {
    g_atomic_int_set(&engine->failures_forgiven, (guint)failures);
  } else if (state == ANNALS_BACKGROUND_FAILED) {
    annals_damage_found_behind(engine, error);
  }
  rocksdb_free(error);
  return state;
}
