/*
 * Checks a database: its files, and that histories, records and listings are whole and agree.
 *
 * Histories and records are read beside each other, in the order of ARNs, and listings behind them;
 * memory does not grow with the database. What is found wrong is told, and the check goes on behind
 * it: also behind what cannot be read (scan.h).
 *
 * Listings are in another order. Of all places that records tell, and of all entries that are
 * there, a sum of hashes is taken; only where the sums differ are places looked up one by one.
 *
 * A repair is the same pass with a pen: records and places are put right as soon as it sees what is
 * right. Histories are never changed, but for the marker, which says no more than that they are
 * there. It may be cut short anywhere, and run again.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_VERIFICATION_H_
#define ANNALS_STORAGE_ROCKSDB_VERIFICATION_H_

#include <rocksdb/c.h>

#include "storage/rocksdb/database.h"
#include "storage/store.h"

G_BEGIN_DECLS

enum annals_repair {
  ANNALS_REPAIR_NONE,
  ANNALS_REPAIR_DRY, /* tells what it would do */
  ANNALS_REPAIR,
};

/* What one check has with it. */
struct annals_verification {
  struct annals_store_verify *request;
  enum annals_repair repair;

  rocksdb_t *db;
  rocksdb_column_family_handle_t *const *families;
  rocksdb_readoptions_t *scan_options;
  rocksdb_readoptions_t *get_options;
  const rocksdb_snapshot_t *snapshot;
  rocksdb_writebatch_t *batch; /* repairs that are not written yet */
  char *write_error;           /* of the first that could not be: no more are tried */

  bool damaged[ANNALS_FAMILY_COUNT]; /* files of the family are */
  bool stopped;
  bool muted;           /* what is found now was told of before */
  int64_t throttled_us; /* since when, and how many bytes since */
  int64_t throttled_bytes;
  uint64_t placed; /* the sum over places that records tell */
  uint64_t listed; /* the sum over entries of lists */
};

/* Adds bytes that were read; waits where that was too fast. Returns whether to go on. */
bool annals_verification_read(struct annals_verification *verification, size_t bytes);

/* Tells of a fault. */
void annals_verification_fault(struct annals_verification *verification,
                               const struct annals_store_fault *fault);

/* Tells of a fault of what RocksDB could not read, naming the file if it does; frees the error. */
void annals_verification_unreadable(struct annals_verification *verification,
                                    enum annals_family family, const char *arn,
                                    char *rocksdb_error);

/* Gets a value by its key. Returns whether that can be told; *ret_value is NULL where there is
 * none. The fault of one that cannot be read is told. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_verification_get(struct annals_verification *verification, enum annals_family family,
                             const char *arn, const uint8_t *key, size_t key_size,
                             GBytes **ret_value);

/* Write a repair, if there are to be any. Return whether it is done, or would be. */
bool annals_verification_put(struct annals_verification *verification, enum annals_family family,
                             const uint8_t *key, size_t key_size, GBytes *value);
bool annals_verification_delete(struct annals_verification *verification, enum annals_family family,
                                const uint8_t *key, size_t key_size);

/* Writes the repairs that are under way. */
void annals_verification_flush(struct annals_verification *verification);

/* Checks the files of a directory, which another process may have open, or this one. Returns
 * whether all was looked at. */
bool annals_verification_check_files(struct annals_verification *verification, const char *path,
                                     bool in_use);

/*
 * Checks the families of an open database. The request's outcome and summary are filled in.
 *
 * Errors: the outcome is UNAVAILABLE when on_progress had enough, FAILED when a repair could not be
 *   written.
 */
void annals_verification_run(struct annals_verification *verification);

G_END_DECLS

#endif
