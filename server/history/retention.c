#include "server/history/retention.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "server/history/arn.h"
#include "server/history/delete.h"
#include "server/history/error.h"
#include "server/history/listing_place.h"

enum {
  /* Shares fsyncs, and leaves the store's workers time for others: those read what is deleted. */
  IN_FLIGHT_MAX = 8,
  /* Of one listing, which holds a view of the store. */
  CANDIDATES_MAX = 256,
  EXAMINED_MAX = 1024,
  EXAMINED_PER_SECOND = 100000, /* a tenth of a processor */
  /* Passes come so often in a period that nothing is kept much longer than it, and not all the
   * time. */
  PASSES_PER_PERIOD = 10,
  PASS_US_MIN = 100 * 1000,
  PASS_US_MAX = 60 * G_USEC_PER_SEC,
};

/* A place in the list of those who have ended: before it, a period has nothing left to delete. */
struct position {
  uint8_t rank[ANNALS_STORE_RANK_BYTES];
  char arn[ANNALS_ARN_BYTES_MAX + 1];
};

struct cursor {
  int64_t period_s;
  struct position position;
};

struct annals_retention {
  struct annals_history *history;
  int64_t deletions_per_second;
  int64_t free_at_us; /* when the work done so far is paid for, by the monotonic clock */
  GArray *cursors;    /* struct cursor; the pass's own */
  void (*on_counts)(void *context, const struct annals_retention_counts *more); /* or NULL */
  void *context;

  pthread_mutex_t lock; /* of all below; a leaf */
  pthread_cond_t changed;
  struct annals_retention_policy *policy;
  bool is_new; /* the policy is not the one that the cursors are of */
  bool stopping;
  int pending; /* operations of the store under way */
};

struct annals_retention *annals_retention_new(struct annals_history *history,
                                              int64_t deletions_per_second) {
  struct annals_retention *retention = g_new0(struct annals_retention, 1);
  retention->history = history;
  retention->deletions_per_second = deletions_per_second;
  retention->cursors = g_array_new(FALSE, TRUE, sizeof(struct cursor));
  retention->policy = annals_retention_policy_new(ANNALS_RETENTION_NEVER);
  pthread_mutex_init(&retention->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&retention->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  return retention;
}

void annals_retention_free(struct annals_retention *retention) {
  if (retention == NULL) {
    return;
  }
  pthread_cond_destroy(&retention->changed);
  pthread_mutex_destroy(&retention->lock);
  annals_retention_policy_free(retention->policy);
  g_array_unref(retention->cursors);
  g_free(retention);
}

void annals_retention_observe(struct annals_retention *retention,
                              void (*on_counts)(void *context,
                                                const struct annals_retention_counts *more),
                              void *context) {
  retention->on_counts = on_counts;
  retention->context = context;
}

void annals_retention_set_policy(struct annals_retention *retention,
                                 struct annals_retention_policy *policy) {
  pthread_mutex_lock(&retention->lock);
  struct annals_retention_policy *old = retention->policy;
  retention->policy = policy;
  retention->is_new = true;
  pthread_cond_broadcast(&retention->changed);
  pthread_mutex_unlock(&retention->lock);
  annals_retention_policy_free(old);
}

void annals_retention_stop(struct annals_retention *retention) {
  pthread_mutex_lock(&retention->lock);
  retention->stopping = true;
  pthread_cond_broadcast(&retention->changed);
  pthread_mutex_unlock(&retention->lock);
}

/* --- time --- */

/* Waits until then, by the monotonic clock, or until there is a new policy or an end to all. */
static void wait_until(struct annals_retention *retention, int64_t at_us) {
  struct timespec at = {
      .tv_sec = at_us / G_USEC_PER_SEC,
      .tv_nsec = at_us % G_USEC_PER_SEC * 1000,
  };
  pthread_mutex_lock(&retention->lock);
  while (!retention->stopping && !retention->is_new && g_get_monotonic_time() < at_us) {
    pthread_cond_timedwait(&retention->changed, &retention->lock, &at);
  }
  pthread_mutex_unlock(&retention->lock);
}

/* Tells whether a pass may go on. */
static bool may_go_on(struct annals_retention *retention) {
  pthread_mutex_lock(&retention->lock);
  bool go_on = !retention->stopping && !retention->is_new;
  pthread_mutex_unlock(&retention->lock);
  return go_on;
}

/* Waits until work at so many a second is paid for; returns whether to go on with the pass. */
static bool pace(struct annals_retention *retention, int64_t count, int64_t per_second) {
  int64_t now_us = g_get_monotonic_time();
  if (retention->deletions_per_second > 0) {
    retention->free_at_us =
        MAX(retention->free_at_us, now_us) + count * G_USEC_PER_SEC / per_second;
  }
  wait_until(retention, retention->free_at_us);
  return may_go_on(retention);
}

bool annals_retention_wait(struct annals_retention *retention) {
  pthread_mutex_lock(&retention->lock);
  g_autoptr(GArray) periods = annals_retention_policy_periods(retention->policy);
  pthread_mutex_unlock(&retention->lock);
  int64_t wait_us = PASS_US_MAX;
  if (periods->len > 0) {
    int64_t shortest_s = g_array_index(periods, int64_t, 0);
    wait_us = CLAMP(shortest_s * G_USEC_PER_SEC / PASSES_PER_PERIOD, PASS_US_MIN, PASS_US_MAX);
  }
  wait_until(retention, g_get_monotonic_time() + wait_us);
  pthread_mutex_lock(&retention->lock);
  bool go_on = !retention->stopping;
  pthread_mutex_unlock(&retention->lock);
  return go_on;
}

/* --- operations of the store, waited for --- */

static void begin(struct annals_retention *retention) {
  pthread_mutex_lock(&retention->lock);
  retention->pending++;
  pthread_mutex_unlock(&retention->lock);
}

static void end(struct annals_retention *retention) {
  pthread_mutex_lock(&retention->lock);
  retention->pending--;
  pthread_cond_broadcast(&retention->changed);
  pthread_mutex_unlock(&retention->lock);
}

static void await_all(struct annals_retention *retention) {
  pthread_mutex_lock(&retention->lock);
  while (retention->pending > 0) {
    pthread_cond_wait(&retention->changed, &retention->lock);
  }
  pthread_mutex_unlock(&retention->lock);
}

/* --- what is due --- */

static int64_t now_s(const struct annals_retention *retention) {
  return annals_history_now_us(retention->history) / G_USEC_PER_SEC;
}

static int64_t find_period(struct annals_retention *retention,
                           const struct annals_execution *execution) {
  pthread_mutex_lock(&retention->lock);
  int64_t period_s = annals_retention_policy_find(retention->policy, execution->state_machine_arn);
  pthread_mutex_unlock(&retention->lock);
  return period_s;
}

/* Asked right before the deletion, of the record that it depends on. */
static bool is_due(struct annals_delete *deletion, const struct annals_execution *execution) {
  struct annals_retention *retention = deletion->owner;
  int64_t period_s = find_period(retention, execution);
  return execution->stopped && period_s != ANNALS_RETENTION_NEVER &&
         execution->stop_seconds < now_s(retention) - period_s;
}

/* A part of the list. */
struct page {
  struct annals_store_list list;
  struct annals_retention *retention;
  int64_t period_s;
  uint8_t due[ANNALS_STORE_RANK_BYTES]; /* the rank of the first who is not due */
  struct position last;                 /* that was looked at */
  GArray *candidates;                   /* struct position */
  int64_t examined;
  int64_t damaged;
  bool more; /* there may be more behind last */
};

static void set_position(struct position *position, const struct annals_store_entry *entry) {
  memcpy(position->rank, entry->rank, sizeof position->rank);
  g_strlcpy(position->arn, entry->arn, sizeof position->arn);
}

static void examine(struct page *page, const struct annals_store_entry *entry) {
  struct annals_execution execution;
  g_autoptr(GBytes) record = g_bytes_new_static(entry->record, entry->record_bytes);
  page->examined++;
  set_position(&page->last, entry);
  if (!annals_execution_read(record, &execution)) {
    page->damaged++;
    return;
  }
  if (find_period(page->retention, &execution) == page->period_s) {
    g_array_append_val(page->candidates, page->last);
  }
  annals_execution_clear(&execution);
}

static bool take_entry(struct annals_store_list *list, const struct annals_store_entry *entry) {
  struct page *page = (struct page *)list;
  if (memcmp(entry->rank, page->due, sizeof page->due) >= 0) {
    return false;
  }
  examine(page, entry);
  page->more = page->examined == EXAMINED_MAX || page->candidates->len == CANDIDATES_MAX;
  return !page->more;
}

static void page_listed(struct annals_store_op *op) {
  end(op->owner);
}

static bool list_page(struct annals_retention *retention, const struct cursor *cursor,
                      struct page *page, GError **error) {
  static const char *const lists[] = {ANNALS_LISTING_CLOSED};
  struct annals_store *store = annals_history_options(retention->history)->store;
  *page = (struct page){
      .list = {.op = {.on_done = page_listed, .owner = retention},
               .lists = lists,
               .list_count = 1,
               .after_arn = cursor->position.arn,
               .on_entry = take_entry},
      .retention = retention,
      .period_s = cursor->period_s,
      .last = cursor->position,
      .candidates = g_array_new(FALSE, FALSE, sizeof(struct position)),
  };
  memcpy(page->list.after_rank, cursor->position.rank, sizeof page->list.after_rank);
  /* Nobody has ended before 1970: the times of events begin there. */
  annals_listing_closed_rank(MAX(now_s(retention) - cursor->period_s, 0), 0, page->due);
  begin(retention);
  if (store->ops->list(store, &page->list) == ANNALS_STORE_DONE) {
    end(retention);
  }
  await_all(retention);
  if (page->list.op.outcome != ANNALS_STORE_OK) {
    g_propagate_error(error, annals_history_read_error(&page->list.op));
    return false;
  }
  return true;
}

/* --- what was done --- */

static void add(struct annals_retention *retention, struct annals_retention_counts *counts,
                const struct annals_retention_counts *more) {
  counts->deleted += more->deleted;
  counts->kept += more->kept;
  counts->failed += more->failed;
  counts->examined += more->examined;
  if (retention->on_counts != NULL) {
    retention->on_counts(retention->context, more);
  }
}

/* --- deletion --- */

static void deleted(struct annals_delete *deletion) {
  end(deletion->owner);
}

/* Counts a deletion that is done. Returns false with the error if it has to be tried again. */
static bool count(struct annals_delete *deletion, struct annals_retention_counts *counts,
                  GError **error) {
  if (deletion->error == NULL) {
    counts->kept += deletion->kept;
    counts->deleted += !deletion->kept;
    return true;
  }
  switch (annals_error_reason(deletion->error)) {
    case ANNALS_REASON_EXECUTION_DOES_NOT_EXIST: /* somebody else has deleted it */
      counts->kept++;
      return true;
    case ANNALS_REASON_DATA_CORRUPTED:
      counts->failed++;
      return true;
    default:
      if (error != NULL && *error == NULL) {
        *error = g_steal_pointer(&deletion->error);
      }
      return false;
  }
}

/* Deletes some at once. */
static bool delete_some(struct annals_retention *retention, const struct position *candidates,
                        guint candidate_count, struct annals_retention_counts *counts,
                        GError **error) {
  struct annals_delete deletions[IN_FLIGHT_MAX] = {0};
  struct annals_retention_counts more = {0};
  bool ok = true;
  for (guint i = 0; i < candidate_count; i++) {
    deletions[i].request.execution_arn = candidates[i].arn;
    deletions[i].on_done = deleted;
    deletions[i].owner = retention;
    deletions[i].wanted = is_due;
    begin(retention);
    if (annals_delete_run_own(retention->history, &deletions[i]) == ANNALS_DONE) {
      end(retention);
    }
  }
  await_all(retention);
  for (guint i = 0; i < candidate_count; i++) {
    ok = count(&deletions[i], &more, error) && ok;
    annals_delete_clear(&deletions[i]);
  }
  add(retention, counts, &more);
  return ok;
}

/* Moves the cursor along as executions go. Returns false when the pass is to end. */
static bool delete_page(struct annals_retention *retention, struct cursor *cursor,
                        const struct page *page, struct annals_retention_counts *counts,
                        GError **error) {
  const struct position *candidates = (const struct position *)page->candidates->data;
  for (guint i = 0; i < page->candidates->len; i += IN_FLIGHT_MAX) {
    guint some = MIN(page->candidates->len - i, IN_FLIGHT_MAX);
    if (!delete_some(retention, &candidates[i], some, counts, error)) {
      return false;
    }
    cursor->position = candidates[i + some - 1];
    if (!pace(retention, some, retention->deletions_per_second)) {
      return false;
    }
  }
  cursor->position = page->last;
  return pace(retention, page->examined, EXAMINED_PER_SECOND);
}

/* --- passes --- */

static void renew_cursors(struct annals_retention *retention) {
  pthread_mutex_lock(&retention->lock);
  bool is_new = retention->is_new;
  retention->is_new = false;
  g_autoptr(GArray) periods = annals_retention_policy_periods(retention->policy);
  pthread_mutex_unlock(&retention->lock);
  if (!is_new) {
    return;
  }
  g_array_set_size(retention->cursors, 0);
  for (guint i = 0; i < periods->len; i++) {
    struct cursor cursor = {.period_s = g_array_index(periods, int64_t, i)};
    g_array_append_val(retention->cursors, cursor);
  }
}

/* Has all look again at what has ended since then, by the times in events. */
static void rewind_cursors(struct annals_retention *retention, int64_t earliest_s) {
  struct position position = {.arn = ""};
  annals_listing_closed_rank(MAX(earliest_s, 0), 0, position.rank);
  for (guint i = 0; i < retention->cursors->len; i++) {
    struct cursor *cursor = &g_array_index(retention->cursors, struct cursor, i);
    if (memcmp(position.rank, cursor->position.rank, sizeof position.rank) <= 0) {
      cursor->position = position;
    }
  }
}

/* Returns false when the pass is to end, perhaps with an error. */
static bool run_cursor(struct annals_retention *retention, struct cursor *cursor,
                       struct annals_retention_counts *counts, GError **error) {
  bool go_on = true;
  struct page page = {.more = true};
  while (go_on && page.more) {
    go_on = list_page(retention, cursor, &page, error);
    add(retention, counts,
        &(struct annals_retention_counts){.failed = page.damaged, .examined = page.examined});
    go_on = go_on && delete_page(retention, cursor, &page, counts, error);
    g_array_unref(page.candidates);
  }
  return go_on;
}

bool annals_retention_pass(struct annals_retention *retention,
                           struct annals_retention_counts *ret_counts, GError **error) {
  GError *why = NULL;
  *ret_counts = (struct annals_retention_counts){0};
  renew_cursors(retention);
  rewind_cursors(retention, annals_history_take_earliest_closed(retention->history));
  bool go_on = may_go_on(retention);
  for (guint i = 0; go_on && i < retention->cursors->len; i++) {
    struct cursor *cursor = &g_array_index(retention->cursors, struct cursor, i);
    go_on = run_cursor(retention, cursor, ret_counts, &why);
  }
  if (why != NULL) {
    g_propagate_error(error, why);
    return false;
  }
  return true;
}
