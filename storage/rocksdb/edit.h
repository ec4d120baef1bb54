/*
 * Looks at and changes what is stored in a directory that nobody has open. For tests.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_EDIT_H_
#define ANNALS_STORAGE_ROCKSDB_EDIT_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_rocksdb_edit;

/* Opens a directory; NULL on failure, which is said on standard error. */
struct annals_rocksdb_edit *annals_rocksdb_edit_open(const char *path);
void annals_rocksdb_edit_close(struct annals_rocksdb_edit *edit);

/* Puts a value under a key of a family, or deletes it where value is NULL. Returns false on
 * failure.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_edit_put(struct annals_rocksdb_edit *edit, const char *family, GBytes *key,
                             GBytes *value);

/* Calls on_entry for each key of a family, in their order. Returns false on failure. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_edit_each(struct annals_rocksdb_edit *edit, const char *family,
                              void (*on_entry)(const char *key, size_t key_size, const char *value,
                                               size_t value_size, void *data),
                              void *data);

/* Writes all into files of tables. Returns false on failure. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rocksdb_edit_flush(struct annals_rocksdb_edit *edit);

G_END_DECLS

#endif
