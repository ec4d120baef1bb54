/*
 * Directories that are there to stay.
 *
 * Floor 1.
 */
#ifndef ANNALS_STORAGE_DIR_H_
#define ANNALS_STORAGE_DIR_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/*
 * Makes a directory, and those that it stands in, where they are missing; what is in it outlives a
 * power cut if it is synced itself. A new name is only on the disk once its directory is synced.
 *
 * Errors: errno tells; what was made stays.
 * Cost: an fsync, and one more for each that was missing.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_dir_make(const char *path, int mode);

/* Syncs a directory: the names in it, not what they name. errno tells what went wrong. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_dir_sync(const char *path);

G_END_DECLS

#endif
