/*
 * The ends of histories that are in memory, by ARN: what makes an append a write and nothing else.
 *
 * An entry shows what is durable, never what is being written. It is loaded by whoever asks first;
 * others who ask meanwhile wait in it. It is pinned while an append is queued, so that between the
 * load and the commit of every append there is one entry of its ARN and no other: what was read
 * from disk cannot be older than what was committed since. Unpinned entries leave, the least
 * recently used first, when the table is over its size; what has left with a change counts as
 * changed when it comes back.
 *
 * Threads: any, unless told otherwise; one lock, a leaf. It is a pthread mutex because
 * ThreadSanitizer does not see GLib's.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_TAIL_TABLE_H_
#define ANNALS_STORAGE_ROCKSDB_TAIL_TABLE_H_

#include "storage/rocksdb/tail.h"

G_BEGIN_DECLS

struct annals_tail_table;
struct annals_tail_entry;

enum annals_tail_found {
  ANNALS_TAIL_READY,   /* there and pinned */
  ANNALS_TAIL_LOAD,    /* absent: the caller loads it, then calls annals_tail_table_loaded */
  ANNALS_TAIL_WAITING, /* being loaded: the waiter will be handed to the one who loads */
};

struct annals_tail_table *annals_tail_table_new(size_t bytes_max);
/* No entry is pinned or being loaded. */
void annals_tail_table_free(struct annals_tail_table *table);

/* What is told of the end of a history. */
struct annals_tail_end {
  int64_t last_id; /* 0: there is no execution */
  GBytes *last_event;
  uint64_t moment; /* >= 1; goes up with each change (tail.h) of any tail */
};

/*
 * Copies the end of a history if it is there.
 *
 * Memory: the caller unrefs the event.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_tail_table_peek(struct annals_tail_table *table, const char *arn,
                            struct annals_tail_end *ret_end);

/* Pins the entry of an ARN, or makes the waiter wait for it: on LOAD as on WAITING. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_tail_found annals_tail_table_pin(struct annals_tail_table *table, const char *arn,
                                             gpointer waiter, struct annals_tail_entry **ret_entry);

/*
 * Ends a load. Returns those who waited, in the order they came; the caller frees the list.
 *
 * Memory: takes what is in tail, and pins the entry once for each waiter. With NULL the load has
 * failed, and the entry is gone.
 */
G_GNUC_WARN_UNUSED_RESULT
GSList *annals_tail_table_loaded(struct annals_tail_table *table, struct annals_tail_entry *entry,
                                 struct annals_tail *tail);

/* Copies the end of a pinned entry. Memory: as of peek. */
void annals_tail_table_get(struct annals_tail_table *table, const struct annals_tail_entry *entry,
                           struct annals_tail_end *ret_end);

void annals_tail_table_unpin(struct annals_tail_table *table, struct annals_tail_entry *entry);

/* The bytes that the table holds, about. */
size_t annals_tail_table_bytes(struct annals_tail_table *table);

/*
 * What the writer does to pinned entries. Threads: the writer's alone. It reads tails without the
 * lock, since nobody else changes that of a pinned entry.
 */
const char *annals_tail_entry_arn(const struct annals_tail_entry *entry);
const struct annals_tail *annals_tail_entry_tail(const struct annals_tail_entry *entry);
/* Tells whether the entry was changed since a moment, or its draft says so. */
bool annals_tail_entry_is_changed(const struct annals_tail_entry *entry, uint64_t since);
/* Returns the entry's draft, or NULL. */
struct annals_tail_draft *annals_tail_entry_draft(struct annals_tail_entry *entry);
/* Starts one. */
struct annals_tail_draft *annals_tail_entry_start_draft(struct annals_tail_entry *entry);
/* Throws it away. */
void annals_tail_entry_drop_draft(struct annals_tail_entry *entry);
/* Makes durable what the drafts of these entries say. */
void annals_tail_table_commit(struct annals_tail_table *table, GPtrArray *entries);

G_END_DECLS

#endif
