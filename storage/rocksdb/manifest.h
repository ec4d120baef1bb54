/*
 * What a database's MANIFEST says of its files.
 *
 * RocksDB's C API tells neither the checksums of files nor whether the MANIFEST is whole, so it is
 * read here: a log (record_log.h) of edits, each a row of tags with their values.
 * Source: RocksDB's db/version_edit.h, for the tags.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_MANIFEST_H_
#define ANNALS_STORAGE_ROCKSDB_MANIFEST_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

/* A file that the database is made of, beside its logs. */
struct annals_manifest_file {
  uint64_t number;      /* its name is that and .sst, or .blob */
  bool blob;            /* holds large values that tables point to */
  uint64_t value_count; /* of a blob file: those that are still needed */
  uint64_t size;        /* 0: not known */
  uint32_t family;      /* the number of its column family */
  bool has_checksum;
  uint32_t checksum; /* CRC-32C of the whole file */
};

struct annals_manifest {
  char *path;
  uint64_t size;
  bool torn;            /* an edit was being written when it ended; it does not count */
  uint64_t log_number;  /* older write-ahead logs are not needed any more */
  GHashTable *files;    /* struct annals_manifest_file, by its number */
  GHashTable *families; /* name by GUINT_TO_POINTER of the number */
};

/*
 * Reads CURRENT and the MANIFEST that it names.
 *
 * Memory: the caller clears ret_manifest. Errors: ANNALS_ROCKSDB_ERROR, CORRUPT where either is
 * damaged; the message names the file and the place in it, without the directory.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_manifest_read(const char *dir, struct annals_manifest *ret_manifest, GError **error);

void annals_manifest_clear(struct annals_manifest *manifest);

/* The name of a column family; "?" if there is none. A view. */
const char *annals_manifest_family(const struct annals_manifest *manifest, uint32_t number);

G_END_DECLS

#endif
