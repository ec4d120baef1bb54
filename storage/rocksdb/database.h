/*
 * The RocksDB database that a store is: its column families, and opening them.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DATABASE_H_
#define ANNALS_STORAGE_ROCKSDB_DATABASE_H_

#include <rocksdb/c.h>

#include "storage/rocksdb/rocksdb_store.h"

G_BEGIN_DECLS

/* The column families, in the order they are opened. */
enum annals_family {
  ANNALS_FAMILY_DEFAULT, /* the schema version */
  ANNALS_FAMILY_HISTORY,
  ANNALS_FAMILY_EXECUTIONS,
  ANNALS_FAMILY_LISTINGS,
  ANNALS_FAMILY_COUNT,
};

/* The name of a family. Static. */
const char *annals_family_name(enum annals_family family);

struct annals_database {
  rocksdb_t *db;
  rocksdb_column_family_handle_t *families[ANNALS_FAMILY_COUNT];
  bool damaged; /* compactions are off: see damage.h */
};

enum annals_database_mode {
  ANNALS_DATABASE_CREATE, /* for all that a store does; made if it is not there */
  ANNALS_DATABASE_CHANGE, /* the same, of one that is there */
  ANNALS_DATABASE_CALM,   /* the same, with compactions off */
  ANNALS_DATABASE_BACKUP, /* the same, of a copy that a backup was: its logs may be missing */
  ANNALS_DATABASE_LOOK,   /* nothing of it is changed, and it is not locked. Damage of its logs is
                             not looked for: see directory.h */
};

/*
 * Opens a database, unless it is somebody else's.
 *
 * Memory: the caller closes ret_database. Errors: as annals_rocksdb_open.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_database_open(const char *path, const struct annals_rocksdb_tuning *tuning,
                          enum annals_database_mode mode, struct annals_database *ret_database,
                          GError **error);

/* Throws away all that is in a family, with its files, damaged or not. A kill in between leaves a
 * database without the family, which the next opening makes. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_database_empty_family(struct annals_database *database,
                                  const struct annals_rocksdb_tuning *tuning,
                                  enum annals_family family, char **rocksdb_error);

/* Closes it; one of zeros is fine. */
void annals_database_close(struct annals_database *database);

/* Says in one line what is wrong with the directory, and frees RocksDB's error. */
void annals_database_set_error(GError **error, const char *path, char *rocksdb_error);

G_END_DECLS

#endif
