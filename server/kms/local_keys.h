/*
 * The keys of a key file: what a key service is to others.
 *
 * Floor 1. A file has a line for each key: its name, blanks, 64 hex digits. Empty lines and those
 * that begin with # do not count. A name may stand on several lines: its first key wraps, all of
 * them unwrap; so a key is rotated by a line above the old one, and by rewrapping.
 */
#ifndef ANNALS_SERVER_KMS_LOCAL_KEYS_H_
#define ANNALS_SERVER_KMS_LOCAL_KEYS_H_

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum {
  ANNALS_LOCAL_KEY_BYTES = 32,
  ANNALS_LOCAL_KEY_NAME_BYTES_MAX = 64,
  ANNALS_LOCAL_KEY_PRINT_BYTES = 8,
  ANNALS_LOCAL_KEYS_MAX = 256,
};

struct annals_local_key {
  char name[ANNALS_LOCAL_KEY_NAME_BYTES_MAX + 1];
  uint8_t print[ANNALS_LOCAL_KEY_PRINT_BYTES]; /* tells it from others of the name; no secret */
  uint8_t *bytes;                              /* in locked memory */
};

struct annals_local_keys;

/*
 * Reads a key file.
 *
 * Errors: G_FILE_ERROR: the file cannot be read, may be read or changed by others, or does not hold
 *   keys; one line that names the file and the line, and no key.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_local_keys *annals_local_keys_load(const char *path, GError **error);

/* Wipes the keys. NULL is fine. */
void annals_local_keys_free(struct annals_local_keys *keys);

/* Finds the key of a name: the first one, or the one with this print unless it is NULL. NULL: there
 * is none. */
const struct annals_local_key *annals_local_keys_find(const struct annals_local_keys *keys,
                                                      const char *name, const uint8_t *print);

G_END_DECLS

#endif
