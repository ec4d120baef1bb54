/*
 * The tables behind data_keys.h: which key belongs to which request, which was used last, and what
 * is over.
 *
 * Floor 1. An entry is a key, or a key that is being asked for, or a failure that is remembered. A
 * key that was made to seal has two entries: it opens, too.
 *
 * Threads: the lock of data_keys.c guards all of it.
 */
#ifndef ANNALS_SERVER_KMS_DATA_KEY_TABLE_H_
#define ANNALS_SERVER_KMS_DATA_KEY_TABLE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/kms/key_provider.h"
#include "server/kms/locked_pool.h"

G_BEGIN_DECLS

/* What makes requests be about the same key. A wrapped form tells its key by itself. */
struct annals_key_identity {
  const char *key_id; /* NULL: wrapped is given */
  const char *context_name;
  const char *context_value;
  GBytes *wrapped; /* NULL: to seal */
};

struct annals_data_key;
struct annals_key_flight;

struct annals_key_entry {
  struct annals_key_identity identity; /* the entry's own copies */
  struct annals_data_key *key;         /* or: */
  struct annals_key_flight *flight;    /* data_keys.c's, or, both NULL: a failure */
  enum annals_key_status status;
  const char *key_state;
  char *message;
  int64_t failed_until_us;
};

struct annals_data_key {
  struct annals_data_keys *keys;
  uint8_t *bytes; /* a slot of the pool */
  GBytes *wrapped;
  char *arn;
  int64_t asked_us;
  int64_t until_us;
  size_t holder_count;
  int64_t number;                      /* 0: it has none */
  struct annals_key_entry *entries[2]; /* NULL: none. Without any, it goes with its last holder. */
  GList link;                          /* in by_use, while it has entries */
};

struct annals_data_key_table {
  struct annals_locked_pool *pool;
  GHashTable *entries; /* identity -> entry, which it owns */
  GHashTable *numbers; /* context and number -> key */
  GQueue by_use;       /* keys; the one used longest ago first */
  size_t key_count;    /* those that wait for their holders, too */
  size_t entries_max;
};

/* Errors: as annals_locked_pool_new. The table is to be cleared in any case. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_data_key_table_init(struct annals_data_key_table *table, size_t keys_max,
                                GError **error);
void annals_data_key_table_clear(struct annals_data_key_table *table);

/* NULL: there is none. */
struct annals_key_entry *annals_data_key_table_find(struct annals_data_key_table *table,
                                                    const struct annals_key_identity *identity);
/* Makes an entry where there is none. */
struct annals_key_entry *annals_data_key_table_add(struct annals_data_key_table *table,
                                                   const struct annals_key_identity *identity);
/* Removes an entry without a key. */
void annals_data_key_table_remove(struct annals_data_key_table *table,
                                  struct annals_key_entry *entry);

/* Gives locked memory for a key, for which the key that was used longest ago may have to go. NULL:
 * all are held. */
G_GNUC_WARN_UNUSED_RESULT
uint8_t *annals_data_key_table_take_slot(struct annals_data_key_table *table);

/* Gives an entry its key, which has been filled in but for what is the table's. */
void annals_data_key_table_set(struct annals_data_key_table *table, struct annals_key_entry *entry,
                               struct annals_data_key *key);

/* Gives a key its number, unless it has no entries; takes it from another one. */
void annals_data_key_table_set_number(struct annals_data_key_table *table,
                                      struct annals_data_key *key, int64_t number);
/* NULL: there is none. */
struct annals_data_key *annals_data_key_table_find_number(struct annals_data_key_table *table,
                                                          const char *context_value,
                                                          int64_t number);

/* Takes note that a key was used. */
void annals_data_key_table_touch(struct annals_data_key_table *table, struct annals_data_key *key);

/* Removes the entries of a key, and wipes it if nobody holds it. */
void annals_data_key_table_drop(struct annals_data_key_table *table, struct annals_data_key *key);

/* Wipes a key that has no entries, if nobody holds it. */
void annals_data_key_table_let_go(struct annals_data_key_table *table, struct annals_data_key *key);

/* Drops what is over; gives the time when the next is, INT64_MAX if there is none. */
int64_t annals_data_key_table_sweep(struct annals_data_key_table *table, int64_t now_us);

/* Drops the keys of a context. */
void annals_data_key_table_forget(struct annals_data_key_table *table, const char *context_value);

G_END_DECLS

#endif
