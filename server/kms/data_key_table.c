#include "server/kms/data_key_table.h"

#include <string.h>

static guint hash_identity(gconstpointer key) {
  const struct annals_key_identity *identity = key;
  guint hash = g_str_hash(identity->context_value);
  return identity->wrapped != NULL ? hash ^ g_bytes_hash(identity->wrapped)
                                   : hash ^ g_str_hash(identity->key_id);
}

static gboolean equal_identity(gconstpointer a, gconstpointer b) {
  const struct annals_key_identity *x = a;
  const struct annals_key_identity *y = b;
  if ((x->wrapped == NULL) != (y->wrapped == NULL) ||
      strcmp(x->context_value, y->context_value) != 0 ||
      strcmp(x->context_name, y->context_name) != 0) {
    return FALSE;
  }
  return x->wrapped != NULL ? g_bytes_equal(x->wrapped, y->wrapped)
                            : strcmp(x->key_id, y->key_id) == 0;
}

/* What keys are found by: of a key that has entries, or asked for. */
struct numbered {
  const char *context_value;
  int64_t number;
};

static struct numbered numbered_of(const struct annals_data_key *key) {
  return (struct numbered){key->entries[0]->identity.context_value, key->number};
}

static guint hash_numbered(gconstpointer key) {
  const struct numbered *numbered = key;
  return g_str_hash(numbered->context_value) ^ g_int64_hash(&numbered->number);
}

static gboolean equal_numbered(gconstpointer a, gconstpointer b) {
  const struct numbered *x = a;
  const struct numbered *y = b;
  return x->number == y->number && strcmp(x->context_value, y->context_value) == 0;
}

static void free_entry(gpointer data) {
  struct annals_key_entry *entry = data;
  g_free((char *)entry->identity.key_id);
  g_free((char *)entry->identity.context_name);
  g_free((char *)entry->identity.context_value);
  g_bytes_unref(entry->identity.wrapped);
  g_free(entry->message);
  g_free(entry);
}

bool annals_data_key_table_init(struct annals_data_key_table *table, size_t keys_max,
                                GError **error) {
  /* Failures are not worth more than this. */
  *table = (struct annals_data_key_table){.entries_max = 4 * keys_max};
  table->entries = g_hash_table_new_full(hash_identity, equal_identity, NULL, free_entry);
  table->numbers = g_hash_table_new_full(hash_numbered, equal_numbered, g_free, NULL);
  g_queue_init(&table->by_use);
  table->pool = annals_locked_pool_new(ANNALS_DATA_KEY_BYTES, keys_max, error);
  return table->pool != NULL;
}

void annals_data_key_table_clear(struct annals_data_key_table *table) {
  while (table->by_use.head != NULL) {
    annals_data_key_table_drop(table, table->by_use.head->data);
  }
  g_assert(table->key_count == 0);
  g_hash_table_unref(table->entries);
  g_hash_table_unref(table->numbers);
  annals_locked_pool_free(table->pool);
}

struct annals_key_entry *annals_data_key_table_find(struct annals_data_key_table *table,
                                                    const struct annals_key_identity *identity) {
  return g_hash_table_lookup(table->entries, identity);
}

struct annals_key_entry *annals_data_key_table_add(struct annals_data_key_table *table,
                                                   const struct annals_key_identity *identity) {
  struct annals_key_entry *entry = g_new0(struct annals_key_entry, 1);
  entry->identity = (struct annals_key_identity){
      .key_id = identity->wrapped == NULL ? g_strdup(identity->key_id) : NULL,
      .context_name = g_strdup(identity->context_name),
      .context_value = g_strdup(identity->context_value),
      .wrapped = identity->wrapped == NULL ? NULL : g_bytes_ref(identity->wrapped),
  };
  g_hash_table_insert(table->entries, &entry->identity, entry);
  return entry;
}

void annals_data_key_table_remove(struct annals_data_key_table *table,
                                  struct annals_key_entry *entry) {
  g_hash_table_remove(table->entries, &entry->identity);
}

uint8_t *annals_data_key_table_take_slot(struct annals_data_key_table *table) {
  uint8_t *slot = annals_locked_pool_take(table->pool);
  for (GList *link = table->by_use.head; slot == NULL && link != NULL; link = link->next) {
    struct annals_data_key *key = link->data;
    if (key->holder_count == 0) {
      annals_data_key_table_drop(table, key);
      return annals_locked_pool_take(table->pool);
    }
  }
  return slot;
}

static void attach(struct annals_key_entry *entry, struct annals_data_key *key, int place) {
  entry->key = key;
  key->entries[place] = entry;
}

/* Where the same key is there to open already, or is being asked for, that goes on. */
void annals_data_key_table_set(struct annals_data_key_table *table, struct annals_key_entry *entry,
                               struct annals_data_key *key) {
  attach(entry, key, 0);
  key->link = (GList){.data = key};
  g_queue_push_tail_link(&table->by_use, &key->link);
  table->key_count++;
  struct annals_key_identity opening = entry->identity;
  opening.wrapped = key->wrapped;
  if (entry->identity.wrapped == NULL && annals_data_key_table_find(table, &opening) == NULL) {
    attach(annals_data_key_table_add(table, &opening), key, 1);
  }
}

static void drop_number(struct annals_data_key_table *table, struct annals_data_key *key) {
  if (key->number != 0) {
    struct numbered numbered = numbered_of(key);
    g_hash_table_remove(table->numbers, &numbered);
    key->number = 0;
  }
}

void annals_data_key_table_set_number(struct annals_data_key_table *table,
                                      struct annals_data_key *key, int64_t number) {
  if (key->entries[0] == NULL || key->number == number) {
    return;
  }
  drop_number(table, key);
  const char *context_value = key->entries[0]->identity.context_value;
  struct annals_data_key *other = annals_data_key_table_find_number(table, context_value, number);
  if (other != NULL) {
    drop_number(table, other);
  }
  key->number = number;
  struct numbered *numbered = g_new(struct numbered, 1);
  *numbered = numbered_of(key);
  g_hash_table_insert(table->numbers, numbered, key);
}

struct annals_data_key *annals_data_key_table_find_number(struct annals_data_key_table *table,
                                                          const char *context_value,
                                                          int64_t number) {
  const struct numbered numbered = {context_value, number};
  return g_hash_table_lookup(table->numbers, &numbered);
}

void annals_data_key_table_touch(struct annals_data_key_table *table, struct annals_data_key *key) {
  g_queue_unlink(&table->by_use, &key->link);
  g_queue_push_tail_link(&table->by_use, &key->link);
}

void annals_data_key_table_drop(struct annals_data_key_table *table, struct annals_data_key *key) {
  g_queue_unlink(&table->by_use, &key->link);
  drop_number(table, key);
  for (size_t i = 0; i < G_N_ELEMENTS(key->entries); i++) {
    if (key->entries[i] != NULL) {
      annals_data_key_table_remove(table, key->entries[i]);
      key->entries[i] = NULL;
    }
  }
  annals_data_key_table_let_go(table, key);
}

void annals_data_key_table_let_go(struct annals_data_key_table *table,
                                  struct annals_data_key *key) {
  if (key->holder_count > 0 || key->entries[0] != NULL) {
    return;
  }
  annals_locked_pool_give(table->pool, key->bytes);
  table->key_count--;
  g_bytes_unref(key->wrapped);
  g_free(key->arn);
  g_free(key);
}

static bool is_failure(const struct annals_key_entry *entry) {
  return entry->key == NULL && entry->flight == NULL;
}

int64_t annals_data_key_table_sweep(struct annals_data_key_table *table, int64_t now_us) {
  int64_t next_us = INT64_MAX;
  for (GList *link = table->by_use.head; link != NULL;) {
    struct annals_data_key *key = link->data;
    link = link->next;
    if (key->until_us <= now_us) {
      annals_data_key_table_drop(table, key);
    } else {
      next_us = MIN(next_us, key->until_us);
    }
  }
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, table->entries);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const struct annals_key_entry *entry = value;
    if (is_failure(entry) && entry->failed_until_us <= now_us) {
      g_hash_table_iter_remove(&iter);
    } else if (is_failure(entry)) {
      next_us = MIN(next_us, entry->failed_until_us);
    }
  }
  return next_us;
}

void annals_data_key_table_forget(struct annals_data_key_table *table, const char *context_value) {
  for (GList *link = table->by_use.head; link != NULL;) {
    struct annals_data_key *key = link->data;
    link = link->next;
    if (strcmp(key->entries[0]->identity.context_value, context_value) == 0) {
      annals_data_key_table_drop(table, key);
    }
  }
}
