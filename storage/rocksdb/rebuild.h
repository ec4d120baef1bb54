/*
 * Clears away families whose files are damaged, for a repair to make them anew from histories.
 *
 * A block that cannot be read stays as long as its file does, and listings would meet it: so the
 * family goes as a whole. Listings hold nothing of their own. Of records, those that can be read
 * are put aside first, since they know what events do not tell:
 *
 *   copied to keys of the family `default`  -->  MARK is put  -->  the family is emptied
 *     -->  they are copied back  -->  MARK goes, and then the copies
 *
 * One that was cut short before MARK is begun anew, one behind it goes on with emptying. As long as
 * MARK is there no server opens the database.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_REBUILD_H_
#define ANNALS_STORAGE_ROCKSDB_REBUILD_H_

#include "storage/rocksdb/database.h"

G_BEGIN_DECLS

/* The key in `default` that says that records are put aside. */
#define ANNALS_REBUILD_MARK "rebuilding"

/*
 * Ends what was cut short, and empties the families that are damaged. Records are read as far as
 * they can be.
 *
 * Returns false with RocksDB's error when something could not be written.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rebuild_run(struct annals_database *database,
                        const struct annals_rocksdb_tuning *tuning,
                        const bool damaged[ANNALS_FAMILY_COUNT], char **rocksdb_error);

G_END_DECLS

#endif
