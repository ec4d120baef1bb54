/*
 * The domain: histories of executions, on whatever store is below.
 *
 * Floor 2. Knows no transport and no engine. One struct annals_history serves all threads; what
 * changes in it after annals_history_new has locks of its own.
 *
 * Operations (page.h, append.h) run as those of the store do: the caller fills a struct, keeps it
 * and all it points to alive, and calls. ANNALS_DONE: the result is there. ANNALS_PENDING: on_done
 * is called once from a thread of the engine, possibly before the call has returned; it must not
 * block and not touch sockets.
 */
#ifndef ANNALS_SERVER_HISTORY_HISTORY_H_
#define ANNALS_SERVER_HISTORY_HISTORY_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/schema.h"
#include "storage/store.h"

G_BEGIN_DECLS

enum annals_progress { ANNALS_DONE, ANNALS_PENDING };

struct annals_data_keys;
struct annals_encryption_policy;
struct annals_quotas;
struct annals_token_key;
struct annals_watchers;

/* What histories are made of. Nothing is owned; all must outlive the history. */
struct annals_history_options {
  struct annals_store *store;
  const struct annals_schema *schema;
  const struct annals_token_key *token_key;
  struct annals_quotas *quotas;       /* NULL: callers may call as often as they like */
  const char *backup_dir;             /* absolute; backups are made below it; NULL: none are */
  const char *backup_beside;          /* a file that goes into backups with the store; NULL: none */
  struct annals_data_keys *data_keys; /* where keys of histories come from; NULL: nowhere */
  const struct annals_encryption_policy *encryption; /* NULL: what says nothing is not encrypted */
  int64_t page_token_ttl_s;                          /* how long a page token is good for */
  size_t page_bytes_max;                             /* what a page may hold; 0: 3.5 MiB */
  size_t page_scan_bytes_max;                        /* what may be read for it; 0: 64 MiB */
  int64_t (*now_us)(void *context); /* microseconds since 1970; NULL: the machine's clock */
  void *now_context;
};

struct annals_history;

struct annals_history *annals_history_new(const struct annals_history_options *options);
void annals_history_free(struct annals_history *history);

/* Gives the options, defaults filled in. */
const struct annals_history_options *annals_history_options(const struct annals_history *history);

/* Gives those who watch executions. */
struct annals_watchers *annals_history_watchers(const struct annals_history *history);

/* Takes note of an execution that has ended, as is stored by now. */
void annals_history_note_closed(struct annals_history *history, int64_t stop_seconds);

/* Tells when the earliest of those ended that have been noted since the last call; INT64_MAX:
 * there was none. */
int64_t annals_history_take_earliest_closed(struct annals_history *history);

/* Begin and end the change of data keys, of which there is one at a time. begin returns false when
 * another one is under way. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_history_begin_rekey(struct annals_history *history);
void annals_history_end_rekey(struct annals_history *history);

/* Has operations that wait for a key service, and those that would, fail with KMS_UNAVAILABLE: the
 * server is to stop. Threads: any. */
void annals_history_end_waits(struct annals_history *history);

/* Tells the time in microseconds since 1970. */
int64_t annals_history_now_us(const struct annals_history *history);

/* Tells whether a page token that was issued at this time is too old. */
bool annals_history_token_expired(const struct annals_history *history, int64_t issued_at_ms);

/* Makes the failure of an execution that is not there. */
GError *annals_history_missing_error(const char *execution_arn);

/*
 * Turns the outcome of a store's append, or of any other operation, into a failure; it is not OK.
 * NOT_FOUND and CONFLICT have meanings of their own for each operation, and are INTERNAL here.
 */
GError *annals_history_write_error(const struct annals_store_op *op);
GError *annals_history_read_error(const struct annals_store_op *op);

/* Makes the failure of data that the store gave and that is not what was stored. */
GError *annals_history_damage_error(const char *what);

/* Has a failure of damaged data, and no other, say of which execution they are; NULL is fine. */
void annals_history_name_damaged(GError *error, const char *execution_arn);

G_END_DECLS

#endif
