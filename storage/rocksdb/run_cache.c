#include "storage/rocksdb/run_cache.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "storage/shared_frames.h"

enum {
  /* ARNs that share one keep less than they could while one of them is changed. */
  COUNTERS = 4096,
  /* What malloc, the hash table and the array of runs add. */
  RUN_OVERHEAD_BYTES = 64,
  ENTRY_OVERHEAD_BYTES = 160,
  /* A run is kept if it is no more than this part of the whole. */
  RUN_PART = 8,
  /* Of those for which others would have to leave, one in so many is. When more is read in turns
   * than there is room for, most of what is kept is still there when its turn comes; with each kept
   * none would be, and all copied for nothing. */
  KEPT_ONE_IN = 8,
};

/* A key that is hashed once. */
struct name {
  guint hash;
  const char *arn;
};

/* What is kept of one life of an execution. */
struct entry {
  struct name name; /* owned */
  uint64_t serial;
  int64_t last_id; /* where the history ends; 0: unknown */
  GPtrArray *runs; /* struct kept_run, ascending, none overlapping; never empty for long */
};

struct kept_run {
  struct entry *entry;
  int64_t first_id;
  int64_t last_id;
  struct annals_shared_frames *frames;
  GList link;             /* in the cache's used */
  int64_t passing_us;     /* when the first of its forms is over; INT64_MAX: none ever is */
  GSequenceIter *passing; /* in the cache's passing; NULL: none ever is */
};

/* How many are behind us, and under way. */
struct tally {
  guint done;
  guint under_way;
};

struct counter {
  struct tally changes;   /* of all kinds: after one the end is not known */
  struct tally deletions; /* of those: after one no run is true */
};

struct annals_run_cache {
  struct annals_shared_keeper keeper; /* of what is made of runs */
  pthread_mutex_t lock;
  GHashTable *entries; /* struct name of the entry -> entry */
  GQueue used;         /* of kept_run; least recently used first */
  GSequence *passing;  /* of kept_run: those that have passing forms, by passing_us */
  pthread_cond_t changed;
  pthread_t sweeper;
  bool sweeps; /* there is that thread */
  bool stopped;
  uint64_t last_serial;
  size_t bytes;
  size_t bytes_max;
  unsigned offered; /* runs for which there was no room */
  struct counter counters[COUNTERS];
};

static guint name_hash(gconstpointer key) {
  return ((const struct name *)key)->hash;
}

static gboolean name_equal(gconstpointer key, gconstpointer other) {
  const struct name *a = key;
  const struct name *b = other;
  return a->hash == b->hash && strcmp(a->arn, b->arn) == 0;
}

static struct counter *counter_of(struct annals_run_cache *cache, guint hash) {
  return &cache->counters[hash % COUNTERS];
}

/* ---- entries and their runs; all under the lock ---------------------------------------------- */

static size_t entry_bytes(const struct entry *entry) {
  return sizeof *entry + ENTRY_OVERHEAD_BYTES + strlen(entry->name.arn);
}

static size_t forms_bytes(const struct annals_shared_frames *frames) {
  size_t bytes = frames->forms != NULL ? ANNALS_FORMS * sizeof frames->forms[0] : 0;
  for (guint i = 0; frames->forms != NULL && i < ANNALS_FORMS; i++) {
    bytes += frames->forms[i] != NULL ? annals_form_memory(frames->forms[i]) : 0;
  }
  return bytes;
}

static size_t run_bytes(const struct kept_run *run) {
  return sizeof *run + RUN_OVERHEAD_BYTES + sizeof *run->frames +
         annals_form_memory(run->frames->stored) + forms_bytes(run->frames);
}

static struct entry *find_entry(struct annals_run_cache *cache, guint hash, const char *arn) {
  const struct name name = {.hash = hash, .arn = arn};
  return g_hash_table_lookup(cache->entries, &name);
}

static struct entry *add_entry(struct annals_run_cache *cache, guint hash, const char *arn) {
  struct entry *entry = g_new0(struct entry, 1);
  entry->name = (struct name){.hash = hash, .arn = g_strdup(arn)};
  entry->serial = ++cache->last_serial;
  entry->runs = g_ptr_array_new();
  g_hash_table_insert(cache->entries, &entry->name, entry);
  cache->bytes += entry_bytes(entry);
  return entry;
}

/* Takes an entry out that has no runs any more. */
static void remove_entry(struct annals_run_cache *cache, struct entry *entry) {
  g_assert(entry->runs->len == 0);
  cache->bytes -= entry_bytes(entry);
  g_hash_table_remove(cache->entries, &entry->name);
  g_ptr_array_unref(entry->runs);
  g_free((char *)entry->name.arn);
  g_free(entry);
}

static gint compare_passing(gconstpointer a, gconstpointer b, gpointer unused) {
  const struct kept_run *run = a;
  const struct kept_run *other = b;
  (void)unused;
  return (run->passing_us > other->passing_us) - (run->passing_us < other->passing_us);
}

/* When the first form is over; INT64_MAX: none ever is. */
static int64_t next_passing_us(const struct annals_run_cache *cache) {
  GSequenceIter *first = g_sequence_get_begin_iter(cache->passing);
  return g_sequence_iter_is_end(first) ? INT64_MAX
                                       : ((struct kept_run *)g_sequence_get(first))->passing_us;
}

static void set_passing(struct annals_run_cache *cache, struct kept_run *run, int64_t until_us) {
  g_clear_pointer(&run->passing, g_sequence_remove);
  run->passing_us = until_us;
  if (until_us < INT64_MAX) {
    run->passing = g_sequence_insert_sorted(cache->passing, run, compare_passing, NULL);
  }
}

/* Takes the run out at that place. */
static void remove_run(struct annals_run_cache *cache, struct entry *entry, guint at) {
  struct kept_run *run = g_ptr_array_remove_index(entry->runs, at);
  g_queue_unlink(&cache->used, &run->link);
  g_clear_pointer(&run->passing, g_sequence_remove);
  cache->bytes -= run_bytes(run);
  run->frames->place = NULL;
  annals_shared_frames_drop_forms(run->frames);
  annals_shared_frames_unref(run->frames);
  g_free(run);
}

/* The place of the first run that ends at id or above; behind all if there is none. */
static guint place_of(const struct entry *entry, int64_t id) {
  guint low = 0;
  guint high = entry->runs->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    const struct kept_run *run = g_ptr_array_index(entry->runs, middle);
    if (run->last_id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static struct kept_run *run_at(const struct entry *entry, guint at) {
  return at < entry->runs->len ? g_ptr_array_index(entry->runs, at) : NULL;
}

static void evict(struct annals_run_cache *cache, size_t bytes_max) {
  while (cache->bytes > bytes_max && cache->used.length > 0) {
    struct kept_run *run = cache->used.head->data;
    struct entry *entry = run->entry;
    remove_run(cache, entry, place_of(entry, run->last_id));
    if (entry->runs->len == 0) {
      remove_entry(cache, entry);
    }
  }
}

static void drop_entry(struct annals_run_cache *cache, struct entry *entry) {
  while (entry->runs->len > 0) {
    remove_run(cache, entry, entry->runs->len - 1);
  }
  remove_entry(cache, entry);
}

/* Tells whether the frames of an id range are there in one run. */
static bool covers(const struct kept_run *run, const struct annals_run *other) {
  return run != NULL && run->first_id <= other->first_id && other->last_id <= run->last_id;
}

/* Puts a run in the place of those that it overlaps, unless one has it all. */
static void put_run(struct annals_run_cache *cache, struct entry *entry,
                    const struct annals_run *run) {
  guint at = place_of(entry, run->first_id);
  struct kept_run *there = run_at(entry, at);
  if (covers(there, run)) {
    return;
  }
  for (; there != NULL && there->first_id <= run->last_id; there = run_at(entry, at)) {
    remove_run(cache, entry, at);
  }
  struct kept_run *kept = g_new0(struct kept_run, 1);
  kept->entry = entry;
  kept->first_id = run->first_id;
  kept->last_id = run->last_id;
  kept->frames = annals_shared_frames_ref(run->shared);
  kept->frames->place = kept;
  kept->link.data = kept;
  kept->passing_us = INT64_MAX;
  g_ptr_array_insert(entry->runs, (gint)at, kept);
  g_queue_push_tail_link(&cache->used, &kept->link);
  cache->bytes += run_bytes(kept);
}

/* Tells whether so many bytes more are worth a place: while there is room all are. */
static bool has_place(struct annals_run_cache *cache, size_t bytes) {
  bool room = cache->bytes + bytes <= cache->bytes_max;
  return room || ++cache->offered % KEPT_ONE_IN == 0;
}

static bool is_small_enough(const struct annals_run_cache *cache, size_t bytes) {
  return bytes <= cache->bytes_max / RUN_PART;
}

/* ---- what is made of runs -------------------------------------------------------------------- */

static bool admits(struct annals_shared_keeper *keeper, size_t size) {
  struct annals_run_cache *cache = (struct annals_run_cache *)keeper;
  if (!is_small_enough(cache, size)) {
    return false;
  }
  pthread_mutex_lock(&cache->lock);
  bool admitted = has_place(cache, size);
  pthread_mutex_unlock(&cache->lock);
  return admitted;
}

static struct annals_form *find_form(struct annals_shared_keeper *keeper,
                                     struct annals_shared_frames *frames, guint number) {
  struct annals_run_cache *cache = (struct annals_run_cache *)keeper;
  pthread_mutex_lock(&cache->lock);
  struct annals_form *form = frames->forms != NULL ? frames->forms[number] : NULL;
  if (form != NULL) {
    annals_form_ref(form);
  }
  pthread_mutex_unlock(&cache->lock);
  return form;
}

/* Has the run looked at when the time of its new form is over. */
static void note_passing(struct annals_run_cache *cache, struct kept_run *run, int64_t until_us) {
  if (until_us < next_passing_us(cache)) {
    pthread_cond_signal(&cache->changed);
  }
  set_passing(cache, run, until_us);
}

/* Tells whether a form will be dropped in time. */
static bool can_pass(const struct annals_run_cache *cache, const struct annals_form *form) {
  return form->until_us == INT64_MAX || (cache->sweeps && form->until_us > g_get_monotonic_time());
}

static void keep_form(struct annals_shared_keeper *keeper, struct annals_shared_frames *frames,
                      guint number, struct annals_form *form) {
  struct annals_run_cache *cache = (struct annals_run_cache *)keeper;
  pthread_mutex_lock(&cache->lock);
  struct kept_run *run = frames->place;
  if (run != NULL && can_pass(cache, form) &&
      (frames->forms == NULL || frames->forms[number] == NULL)) {
    cache->bytes -= run_bytes(run);
    if (frames->forms == NULL) {
      frames->forms = g_new0(struct annals_form *, ANNALS_FORMS);
    }
    frames->forms[number] = annals_form_ref(form);
    cache->bytes += run_bytes(run);
    if (form->until_us < run->passing_us) {
      note_passing(cache, run, form->until_us);
    }
    evict(cache, cache->bytes_max);
  }
  pthread_mutex_unlock(&cache->lock);
}

/* ---- what is over ---------------------------------------------------------------------------- */

/* Drops what is over of the run that has the first form to go. */
static void sweep_first(struct annals_run_cache *cache, int64_t now_us) {
  struct kept_run *run = g_sequence_get(g_sequence_get_begin_iter(cache->passing));
  struct annals_form **forms = run->frames->forms;
  int64_t next_us = INT64_MAX;
  cache->bytes -= run_bytes(run);
  for (guint i = 0; i < ANNALS_FORMS; i++) {
    if (forms[i] != NULL && forms[i]->until_us <= now_us) {
      g_clear_pointer(&forms[i], annals_form_unref);
    } else if (forms[i] != NULL) {
      next_us = MIN(next_us, forms[i]->until_us);
    }
  }
  cache->bytes += run_bytes(run);
  set_passing(cache, run, next_us);
}

int64_t annals_run_cache_sweep(struct annals_run_cache *cache, int64_t now_us) {
  pthread_mutex_lock(&cache->lock);
  while (next_passing_us(cache) <= now_us) {
    sweep_first(cache, now_us);
  }
  const int64_t next_us = next_passing_us(cache);
  pthread_mutex_unlock(&cache->lock);
  return next_us;
}

static void wait_until(struct annals_run_cache *cache, int64_t until_us) {
  if (until_us == INT64_MAX) {
    pthread_cond_wait(&cache->changed, &cache->lock);
    return;
  }
  const struct timespec until = {
      .tv_sec = until_us / G_USEC_PER_SEC,
      .tv_nsec = until_us % G_USEC_PER_SEC * 1000,
  };
  (void)pthread_cond_timedwait(&cache->changed, &cache->lock, &until);
}

static void *sweep_in_time(void *data) {
  struct annals_run_cache *cache = data;
  pthread_mutex_lock(&cache->lock);
  while (!cache->stopped) {
    const int64_t now_us = g_get_monotonic_time();
    const int64_t next_us = next_passing_us(cache);
    if (next_us > now_us) {
      wait_until(cache, next_us);
      continue;
    }
    sweep_first(cache, now_us);
    pthread_mutex_unlock(&cache->lock); /* readers have it between any two */
    pthread_mutex_lock(&cache->lock);
  }
  pthread_mutex_unlock(&cache->lock);
  return NULL;
}

static void start_sweeper(struct annals_run_cache *cache) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&cache->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  cache->sweeps = pthread_create(&cache->sweeper, NULL, sweep_in_time, cache) == 0;
  if (cache->sweeps) {
    pthread_setname_np(cache->sweeper, "annals-runs");
  }
}

static void stop_sweeper(struct annals_run_cache *cache) {
  pthread_mutex_lock(&cache->lock);
  cache->stopped = true;
  pthread_cond_signal(&cache->changed);
  pthread_mutex_unlock(&cache->lock);
  if (cache->sweeps) {
    pthread_join(cache->sweeper, NULL);
  }
  pthread_cond_destroy(&cache->changed);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct annals_run_cache *annals_run_cache_new(size_t bytes_max) {
  struct annals_run_cache *cache = g_new0(struct annals_run_cache, 1);
  cache->keeper = (struct annals_shared_keeper){find_form, admits, keep_form};
  pthread_mutex_init(&cache->lock, NULL);
  cache->entries = g_hash_table_new(name_hash, name_equal);
  g_queue_init(&cache->used);
  cache->passing = g_sequence_new(NULL);
  cache->bytes_max = bytes_max;
  start_sweeper(cache);
  return cache;
}

void annals_run_cache_free(struct annals_run_cache *cache) {
  if (cache == NULL) {
    return;
  }
  stop_sweeper(cache);
  evict(cache, 0);
  g_assert(g_hash_table_size(cache->entries) == 0);
  g_hash_table_unref(cache->entries);
  g_sequence_free(cache->passing);
  pthread_mutex_destroy(&cache->lock);
  g_free(cache);
}

size_t annals_run_cache_bytes(struct annals_run_cache *cache) {
  pthread_mutex_lock(&cache->lock);
  size_t bytes = cache->bytes;
  pthread_mutex_unlock(&cache->lock);
  return bytes;
}

/* ---- visits ---------------------------------------------------------------------------------- */

void annals_run_visit_begin(struct annals_run_visit *visit, struct annals_run_cache *cache,
                            const char *arn) {
  *visit = (struct annals_run_visit){.cache = cache, .arn = arn, .hash = g_str_hash(arn)};
  pthread_mutex_lock(&cache->lock);
  const struct counter *counter = counter_of(cache, visit->hash);
  visit->changes = counter->changes.done;
  visit->deletions = counter->deletions.done;
  visit->keeps_end = counter->changes.under_way == 0;
  visit->keeps_runs = counter->deletions.under_way == 0;
  pthread_mutex_unlock(&cache->lock);
}

/* Finds the run in an entry, and marks it as used. */
static enum annals_run_found find_run(struct annals_run_cache *cache, const struct entry *entry,
                                      int64_t id, bool or_last, struct annals_run *ret_run) {
  if (entry->last_id != 0 && id > entry->last_id) {
    if (!or_last) {
      return ANNALS_RUN_BEHIND_END;
    }
    id = entry->last_id;
  }
  struct kept_run *run = run_at(entry, place_of(entry, id));
  if (run == NULL || run->first_id > id) {
    return ANNALS_RUN_UNKNOWN;
  }
  g_queue_unlink(&cache->used, &run->link);
  g_queue_push_tail_link(&cache->used, &run->link);
  *ret_run = (struct annals_run){
      .first_id = run->first_id,
      .last_id = run->last_id,
      .frames = run->frames->stored->bytes,
      .frames_bytes = run->frames->stored->size,
      .shared = annals_shared_frames_ref(run->frames),
  };
  return ANNALS_RUN_FOUND;
}

enum annals_run_found annals_run_visit_find(struct annals_run_visit *visit, int64_t id,
                                            bool or_last, struct annals_run *ret_run) {
  struct annals_run_cache *cache = visit->cache;
  enum annals_run_found found = ANNALS_RUN_UNKNOWN;
  pthread_mutex_lock(&cache->lock);
  const struct entry *entry = find_entry(cache, visit->hash, visit->arn);
  if (entry != NULL && (visit->found == 0 || visit->found == entry->serial)) {
    visit->found = entry->serial;
    found = find_run(cache, entry, id, or_last, ret_run);
  }
  pthread_mutex_unlock(&cache->lock);
  return found;
}

/* Tells whether what the visit has read is of the life that the history has now. */
static bool is_alive(const struct annals_run_visit *visit) {
  const struct tally *deletions = &counter_of(visit->cache, visit->hash)->deletions;
  return visit->keeps_runs && deletions->under_way == 0 && deletions->done == visit->deletions;
}

/* Tells whether it was the end, and is. */
static bool is_current(const struct annals_run_visit *visit) {
  const struct tally *changes = &counter_of(visit->cache, visit->hash)->changes;
  return visit->keeps_end && changes->under_way == 0 && changes->done == visit->changes;
}

/* Tells whether a run is worth a place, before it is copied. */
static bool takes(const struct annals_run_visit *visit, const struct annals_run *run) {
  struct annals_run_cache *cache = visit->cache;
  if (!visit->keeps_runs || !is_small_enough(cache, run->frames_bytes)) {
    return false;
  }
  pthread_mutex_lock(&cache->lock);
  bool taken = is_alive(visit) && has_place(cache, run->frames_bytes);
  pthread_mutex_unlock(&cache->lock);
  return taken;
}

void annals_run_visit_keep(struct annals_run_visit *visit, struct annals_run *run) {
  struct annals_run_cache *cache = visit->cache;
  run->shared = NULL;
  if (!takes(visit, run)) {
    return;
  }
  run->shared = annals_shared_frames_copy(run->frames, run->frames_bytes);
  if (run->shared == NULL) {
    return;
  }
  run->shared->keeper = &cache->keeper;
  run->frames = run->shared->stored->bytes;
  pthread_mutex_lock(&cache->lock);
  if (is_alive(visit)) {
    struct entry *entry = find_entry(cache, visit->hash, visit->arn);
    put_run(cache, entry != NULL ? entry : add_entry(cache, visit->hash, visit->arn), run);
    evict(cache, cache->bytes_max);
  }
  pthread_mutex_unlock(&cache->lock);
}

void annals_run_visit_keep_end(struct annals_run_visit *visit, int64_t last_id) {
  struct annals_run_cache *cache = visit->cache;
  pthread_mutex_lock(&cache->lock);
  struct entry *entry = find_entry(cache, visit->hash, visit->arn);
  if (entry != NULL && is_current(visit)) {
    entry->last_id = last_id;
  }
  pthread_mutex_unlock(&cache->lock);
}

/* ---- changes --------------------------------------------------------------------------------- */

void annals_run_cache_begin_change(struct annals_run_cache *cache, const char *arn, bool deleted) {
  guint hash = g_str_hash(arn);
  pthread_mutex_lock(&cache->lock);
  struct counter *counter = counter_of(cache, hash);
  counter->changes.under_way++;
  counter->deletions.under_way += deleted;
  struct entry *entry = find_entry(cache, hash, arn);
  if (entry != NULL && deleted) {
    drop_entry(cache, entry);
  } else if (entry != NULL) {
    entry->last_id = 0;
  }
  pthread_mutex_unlock(&cache->lock);
}

static void end_one(struct tally *tally) {
  tally->under_way--;
  tally->done++;
}

void annals_run_cache_end_change(struct annals_run_cache *cache, const char *arn, bool deleted) {
  pthread_mutex_lock(&cache->lock);
  struct counter *counter = counter_of(cache, g_str_hash(arn));
  end_one(&counter->changes);
  if (deleted) {
    end_one(&counter->deletions);
  }
  pthread_mutex_unlock(&cache->lock);
}
