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

/* An edit that was being written when the MANIFEST ended does not count. */
struct annals_manifest {
  char *path;
  uint64_t size;
  uint64_t oldest_log_number; /* older write-ahead logs have nothing that is not in tables */
  uint64_t kept_log_number;   /* older ones may be gone; 0: there was none yet */
  uint64_t kept_log_end;      /* greater than that of any file when it said so */
  uint64_t newest_log_number; /* one of that number, or a later one, was there; 0: none yet */
  uint64_t next_file_number;  /* greater than that of any file when it ended */
  uint32_t last_family;       /* the greatest number that a column family ever had */
  GHashTable *files;          /* struct annals_manifest_file, by its number */
  GHashTable *families;       /* name by GUINT_TO_POINTER of the number */
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
