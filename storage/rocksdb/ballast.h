/*
 * A file that takes room on the disk, to give it back when there is none left.
 *
 * It is whole, or empty once it was given back, or not there as long as there was never room for
 * it. So a restart knows which.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_BALLAST_H_
#define ANNALS_STORAGE_ROCKSDB_BALLAST_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_ballast {
  ANNALS_BALLAST_ABSENT, /* or of another size: it was never made, or not by these options */
  ANNALS_BALLAST_WHOLE,
  ANNALS_BALLAST_GIVEN_BACK,
};

/* Looks what there is. */
enum annals_ballast annals_ballast_look(const char *path, uint64_t bytes);

/*
 * Makes it, with room on the disk for each of its bytes. Returns false where that fails, with all
 * as it was.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_ballast_make(const char *path, uint64_t bytes);

/* Gives the room back. Returns false where that fails. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_ballast_give_back(const char *path);

G_END_DECLS

#endif
