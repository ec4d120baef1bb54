#include "storage/rocksdb/tail_table.h"

#include <pthread.h>
#include <string.h>

/* What an entry costs besides its ARN and tail: itself, the hash table's slot, malloc. */
enum { ENTRY_OVERHEAD_BYTES = sizeof(GList) + 160 };

struct annals_tail_entry {
  char *arn;
  struct annals_tail tail;
  size_t bytes; /* as counted in the table */
  guint pins;
  bool loading;
  GSList *waiters; /* newest first */
  GList link;      /* in the table's unpinned, when it is */

  bool drafted; /* the writer's */
  struct annals_tail_draft draft;
};

struct annals_tail_table {
  pthread_mutex_t lock;
  GHashTable *entries; /* arn, owned by the entry -> entry */
  GQueue unpinned;     /* least recently used first */
  size_t bytes;
  size_t bytes_max;
  uint64_t moment;    /* of the last change */
  uint64_t forgotten; /* the last change of those that have left */
};

struct annals_tail_table *annals_tail_table_new(size_t bytes_max) {
  struct annals_tail_table *table = g_new0(struct annals_tail_table, 1);
  pthread_mutex_init(&table->lock, NULL);
  table->entries = g_hash_table_new(g_str_hash, g_str_equal);
  g_queue_init(&table->unpinned);
  table->bytes_max = bytes_max;
  table->moment = 1;
  return table;
}

/* Takes an entry that is not in unpinned out of the table. */
static void remove_entry(struct annals_tail_table *table, struct annals_tail_entry *entry) {
  g_hash_table_remove(table->entries, entry->arn);
  table->bytes -= entry->bytes;
  table->forgotten = MAX(table->forgotten, entry->tail.changed);
  annals_tail_clear(&entry->tail);
  g_free(entry->arn);
  g_free(entry);
}

static void evict(struct annals_tail_table *table, size_t bytes_max) {
  while (table->bytes > bytes_max && table->unpinned.length > 0) {
    struct annals_tail_entry *entry = table->unpinned.head->data;
    g_queue_unlink(&table->unpinned, &entry->link);
    remove_entry(table, entry);
  }
}

void annals_tail_table_free(struct annals_tail_table *table) {
  if (table == NULL) {
    return;
  }
  evict(table, 0);
  g_assert(g_hash_table_size(table->entries) == 0);
  g_hash_table_unref(table->entries);
  pthread_mutex_destroy(&table->lock);
  g_free(table);
}

static void count_bytes(struct annals_tail_table *table, struct annals_tail_entry *entry) {
  size_t bytes = sizeof *entry + ENTRY_OVERHEAD_BYTES + strlen(entry->arn);
  if (!entry->loading) {
    bytes += annals_tail_bytes(&entry->tail);
  }
  table->bytes += bytes - entry->bytes;
  entry->bytes = bytes;
}

static void pin(struct annals_tail_table *table, struct annals_tail_entry *entry) {
  if (entry->pins++ == 0) {
    g_queue_unlink(&table->unpinned, &entry->link);
  }
}

/* An execution that does not exist is not worth a place: ARNs that nobody appends to are endless.
 */
static void unpin(struct annals_tail_table *table, struct annals_tail_entry *entry) {
  g_assert(entry->pins > 0);
  if (--entry->pins > 0) {
    return;
  }
  if (entry->tail.last_id == 0) {
    remove_entry(table, entry);
    return;
  }
  g_queue_push_tail_link(&table->unpinned, &entry->link);
  evict(table, table->bytes_max);
}

static struct annals_tail_entry *add_loading(struct annals_tail_table *table, const char *arn) {
  struct annals_tail_entry *entry = g_new0(struct annals_tail_entry, 1);
  entry->arn = g_strdup(arn);
  entry->loading = true;
  entry->link.data = entry;
  g_hash_table_insert(table->entries, entry->arn, entry);
  count_bytes(table, entry);
  return entry;
}

static void copy_end(const struct annals_tail_table *table, const struct annals_tail *tail,
                     struct annals_tail_end *ret_end) {
  *ret_end = (struct annals_tail_end){
      .last_id = tail->last_id,
      .last_event = tail->last_event != NULL ? g_bytes_ref(tail->last_event) : NULL,
      .moment = table->moment,
  };
}

bool annals_tail_table_peek(struct annals_tail_table *table, const char *arn,
                            struct annals_tail_end *ret_end) {
  pthread_mutex_lock(&table->lock);
  struct annals_tail_entry *entry = g_hash_table_lookup(table->entries, arn);
  bool found = entry != NULL && !entry->loading && entry->tail.last_id > 0;
  if (found) {
    copy_end(table, &entry->tail, ret_end);
    if (entry->pins == 0) {
      g_queue_unlink(&table->unpinned, &entry->link);
      g_queue_push_tail_link(&table->unpinned, &entry->link);
    }
  }
  pthread_mutex_unlock(&table->lock);
  return found;
}

enum annals_tail_found annals_tail_table_pin(struct annals_tail_table *table, const char *arn,
                                             gpointer waiter,
                                             struct annals_tail_entry **ret_entry) {
  enum annals_tail_found found = ANNALS_TAIL_WAITING;
  pthread_mutex_lock(&table->lock);
  struct annals_tail_entry *entry = g_hash_table_lookup(table->entries, arn);
  if (entry == NULL) {
    entry = add_loading(table, arn);
    found = ANNALS_TAIL_LOAD;
  }
  if (entry->loading) {
    entry->waiters = g_slist_prepend(entry->waiters, waiter);
  } else {
    pin(table, entry);
    found = ANNALS_TAIL_READY;
  }
  *ret_entry = entry;
  pthread_mutex_unlock(&table->lock);
  return found;
}

GSList *annals_tail_table_loaded(struct annals_tail_table *table, struct annals_tail_entry *entry,
                                 struct annals_tail *tail) {
  pthread_mutex_lock(&table->lock);
  GSList *waiters = g_slist_reverse(g_steal_pointer(&entry->waiters));
  if (tail == NULL) {
    annals_tail_init(&entry->tail);
    remove_entry(table, entry);
  } else {
    entry->tail = *tail;
    entry->tail.changed = table->forgotten;
    entry->loading = false;
    entry->pins = g_slist_length(waiters);
    count_bytes(table, entry);
    evict(table, table->bytes_max);
  }
  pthread_mutex_unlock(&table->lock);
  return waiters;
}

void annals_tail_table_get(struct annals_tail_table *table, const struct annals_tail_entry *entry,
                           struct annals_tail_end *ret_end) {
  pthread_mutex_lock(&table->lock);
  copy_end(table, &entry->tail, ret_end);
  pthread_mutex_unlock(&table->lock);
}

void annals_tail_table_unpin(struct annals_tail_table *table, struct annals_tail_entry *entry) {
  pthread_mutex_lock(&table->lock);
  unpin(table, entry);
  pthread_mutex_unlock(&table->lock);
}

size_t annals_tail_table_bytes(struct annals_tail_table *table) {
  pthread_mutex_lock(&table->lock);
  size_t bytes = table->bytes;
  pthread_mutex_unlock(&table->lock);
  return bytes;
}

const char *annals_tail_entry_arn(const struct annals_tail_entry *entry) {
  return entry->arn;
}

const struct annals_tail *annals_tail_entry_tail(const struct annals_tail_entry *entry) {
  return &entry->tail;
}

bool annals_tail_entry_is_changed(const struct annals_tail_entry *entry, uint64_t since) {
  return entry->tail.changed > since || (entry->drafted && entry->draft.changed);
}

struct annals_tail_draft *annals_tail_entry_draft(struct annals_tail_entry *entry) {
  return entry->drafted ? &entry->draft : NULL;
}

struct annals_tail_draft *annals_tail_entry_start_draft(struct annals_tail_entry *entry) {
  g_assert(!entry->drafted);
  annals_tail_draft_init(&entry->draft, &entry->tail);
  entry->drafted = true;
  return &entry->draft;
}

void annals_tail_entry_drop_draft(struct annals_tail_entry *entry) {
  if (entry->drafted) {
    annals_tail_draft_clear(&entry->draft);
    entry->drafted = false;
  }
}

void annals_tail_table_commit(struct annals_tail_table *table, GPtrArray *entries) {
  pthread_mutex_lock(&table->lock);
  for (guint i = 0; i < entries->len; i++) {
    struct annals_tail_entry *entry = g_ptr_array_index(entries, i);
    if (entry->draft.changed) {
      entry->tail.changed = ++table->moment;
    }
    annals_tail_commit(&entry->tail, &entry->draft);
    entry->drafted = false;
    count_bytes(table, entry);
  }
  evict(table, table->bytes_max);
  pthread_mutex_unlock(&table->lock);
}
