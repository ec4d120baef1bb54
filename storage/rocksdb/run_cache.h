/*
 * Runs that were read lately, in memory as they are sent: what makes a page of a hot history a
 * lookup, where RocksDB takes an iterator, some seeks and the check of each block.
 *
 * Runs are kept by ARN, and with them where the history ends, if that is known. What is stored
 * under an id never changes, so a run is true as long as its history is there; where the history
 * ends is true until the next append. So whoever changes histories says so, before and behind the
 * write: an append makes the end unknown, a deletion drops all, and no end that was read before
 * that of a change is kept, nor a run that was read before that of a deletion.
 *
 *   reader  begin a visit ... find, find ... read RocksDB ... keep, keep, keep_end
 *   writer        begin_change ... write ... end_change
 *
 * So a visit keeps something only if no such change of an ARN like its own is under way, and none
 * has been since it began: each ARN has one of some thousand counters, by its hash. What it finds
 * is all of one life of the execution, or it finds no more.
 *
 * What readers make of a run, such as AWS's JSON, is kept and leaves with it (shared_frames.h): it
 * is freed with the last reference, which an answer may have that its client does not take.
 * Runs of encrypted events are kept as they are stored; what is decrypted of them leaves when its
 * time is over (form.h), whether or not anybody asks. The least recently used leave first, but only
 * for one in some of those that there is no room for.
 *
 * Threads: any; one lock, a leaf. One thread of its own drops what is over.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_RUN_CACHE_H_
#define ANNALS_STORAGE_ROCKSDB_RUN_CACHE_H_

#include "storage/store.h"

G_BEGIN_DECLS

struct annals_run_cache;

/* One read's dealings with the cache. */
struct annals_run_visit {
  struct annals_run_cache *cache;
  const char *arn;
  guint hash;
  guint changes; /* the ARN's counters when the visit began */
  guint deletions;
  bool keeps_end;  /* no change was under way then */
  bool keeps_runs; /* nor a deletion */
  uint64_t found;  /* the entry that all was found in; 0: nothing was found yet */
};

enum annals_run_found {
  ANNALS_RUN_FOUND,
  ANNALS_RUN_BEHIND_END, /* the history is known to end below that id */
  ANNALS_RUN_UNKNOWN,
};

struct annals_run_cache *annals_run_cache_new(size_t bytes_max);
void annals_run_cache_free(struct annals_run_cache *cache);

/* Drops forms whose time is over at now_us, of g_get_monotonic_time(); gives the time when the next
 * is, INT64_MAX if there is none. The thread does it in time. */
int64_t annals_run_cache_sweep(struct annals_run_cache *cache, int64_t now_us);

/* Begins a visit, before the reader has its view of RocksDB. Memory: the ARN outlives it. */
void annals_run_visit_begin(struct annals_run_visit *visit, struct annals_run_cache *cache,
                            const char *arn);

/*
 * Finds the run that holds an id. With or_last, the last run where the history ends below it.
 *
 * Memory: the caller unrefs ret_run->shared.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_run_found annals_run_visit_find(struct annals_run_visit *visit, int64_t id,
                                            bool or_last, struct annals_run *ret_run);

/*
 * Keeps a run that was read and checked, in place of what it covers or overlaps, if it is worth a
 * place. *run becomes the view of the copy if one was made.
 *
 * Memory: the caller unrefs run->shared, which is NULL if it is not.
 */
void annals_run_visit_keep(struct annals_run_visit *visit, struct annals_run *run);

/* Keeps where the history ends, if any of its runs is kept. */
void annals_run_visit_keep_end(struct annals_run_visit *visit, int64_t last_id);

/* Say that a history is about to be changed, and that it has been, or that the change has failed.
 * deleted: what comes is another life, or none. */
void annals_run_cache_begin_change(struct annals_run_cache *cache, const char *arn, bool deleted);
void annals_run_cache_end_change(struct annals_run_cache *cache, const char *arn, bool deleted);

/* The bytes that the cache holds, about. */
size_t annals_run_cache_bytes(struct annals_run_cache *cache);

G_END_DECLS

#endif
