#include "storage/rocksdb/cursor.h"

#include <string.h>

#include "storage/frame.h"

enum { READ_TIER_ALL = 0, READ_TIER_BLOCK_CACHE = 1 };

enum {
  /* Deleted keys that a step walks over at the most in the tiers where that is INCOMPLETE then: a
   * seek is cheaper than more of them. */
  SKIPPED_MAX = 8,
  /* What is read with a block. A run of 26 KB is one of 14 on the disk, and the marker behind it in
   * the next: with this they are one read where they were two, which is some 30 us of the 300 that
   * a page takes. Of small runs a page takes the same, and 26 KB from the disk where they were 6.
   */
  AHEAD_BYTES = 16 << 10,
  /* A run whose events are no longer than that in the mean is fetched whole: reading their lengths
   * one after the other would wait for memory at each. */
  FETCHED_EVENT_BYTES_MAX = 1024,
  CACHE_LINE_BYTES = 64,
};

void annals_tier_apply(enum annals_tier tier, rocksdb_readoptions_t *options) {
  rocksdb_readoptions_set_read_tier(
      options, tier == ANNALS_TIER_CACHE ? READ_TIER_BLOCK_CACHE : READ_TIER_ALL);
  rocksdb_readoptions_set_fill_cache(options, tier != ANNALS_TIER_DISK_ONCE);
}

static bool skips_few(enum annals_tier tier) {
  return tier == ANNALS_TIER_CACHE || tier == ANNALS_TIER_AHEAD;
}

void annals_cursor_open(struct annals_cursor *cursor, rocksdb_t *db,
                        rocksdb_column_family_handle_t *history, const char *arn,
                        enum annals_tier tier) {
  size_t arn_size = strlen(arn);
  size_t prefix_size = arn_size + ANNALS_KEY_PREFIX_EXTRA;
  *cursor = (struct annals_cursor){.arn = arn, .arn_size = arn_size, .place = ANNALS_PLACE_END};

  cursor->keys = g_malloc(2 * prefix_size + arn_size + ANNALS_KEY_SEEK_EXTRA);
  uint8_t *lower = cursor->keys;
  uint8_t *upper = lower + prefix_size;
  annals_key_put_prefix(lower, arn, arn_size, ANNALS_KEY_SEALED);
  annals_key_put_prefix(upper, arn, arn_size, ANNALS_KEY_BEHIND);

  cursor->options = rocksdb_readoptions_create();
  annals_tier_apply(tier, cursor->options);
  if (skips_few(tier)) {
    rocksdb_readoptions_set_max_skippable_internal_keys(cursor->options, SKIPPED_MAX);
  }
  if (tier == ANNALS_TIER_AHEAD) {
    rocksdb_readoptions_set_readahead_size(cursor->options, AHEAD_BYTES);
  }
  /* The bounds keep it from walking over what was deleted from other executions. */
  rocksdb_readoptions_set_iterate_lower_bound(cursor->options, (const char *)lower, prefix_size);
  rocksdb_readoptions_set_iterate_upper_bound(cursor->options, (const char *)upper, prefix_size);
  cursor->iterator = rocksdb_create_iterator_cf(db, cursor->options, history);
}

void annals_cursor_close(struct annals_cursor *cursor) {
  rocksdb_iter_destroy(cursor->iterator);
  rocksdb_readoptions_destroy(cursor->options);
  g_free(cursor->keys);
}

enum annals_place annals_cursor_fail(struct annals_cursor *cursor, const char *what) {
  cursor->status = ANNALS_STATUS_CORRUPT;
  /* The ARN comes last: it is the longest, and is known to who asked. */
  if (cursor->place == ANNALS_PLACE_SEALED || cursor->place == ANNALS_PLACE_OPEN) {
    g_snprintf(cursor->detail, sizeof cursor->detail,
               "%s at run %c %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT " of %s", what,
               cursor->place == ANNALS_PLACE_SEALED ? ANNALS_KEY_SEALED : ANNALS_KEY_OPEN,
               cursor->run.first_id, cursor->run.last_id, cursor->arn);
  } else {
    g_snprintf(cursor->detail, sizeof cursor->detail, "%s in %s", what, cursor->arn);
  }
  cursor->place = ANNALS_PLACE_FAILED;
  return cursor->place;
}

/* The iterator stands at no key: at the end, or something went wrong. */
static enum annals_place arrive_nowhere(struct annals_cursor *cursor) {
  char *error = NULL;
  rocksdb_iter_get_error(cursor->iterator, &error);
  cursor->place = ANNALS_PLACE_END;
  if (error != NULL) {
    cursor->status = annals_status_classify(error);
    g_strlcpy(cursor->detail, error, sizeof cursor->detail);
    cursor->place = ANNALS_PLACE_FAILED;
    rocksdb_free(error);
  }
  return cursor->place;
}

static enum annals_place arrive(struct annals_cursor *cursor) {
  if (!rocksdb_iter_valid(cursor->iterator)) {
    return arrive_nowhere(cursor);
  }
  size_t key_size;
  const char *key_bytes = rocksdb_iter_key(cursor->iterator, &key_size);
  struct annals_key key;
  if (!annals_key_parse((const uint8_t *)key_bytes, key_size, cursor->arn, cursor->arn_size,
                        &key)) {
    cursor->place = ANNALS_PLACE_END;
    return annals_cursor_fail(cursor, "a key that is none");
  }
  size_t value_size;
  const char *value = rocksdb_iter_value(cursor->iterator, &value_size);
  if (key.marker) {
    cursor->birth = annals_birth_parse((const uint8_t *)value, value_size);
    cursor->place = ANNALS_PLACE_MARKER;
    return cursor->place;
  }
  cursor->run = (struct annals_run){
      .first_id = key.first_id,
      .last_id = key.last_id,
      .frames = (const uint8_t *)value,
      .frames_bytes = value_size,
  };
  cursor->place = key.kind == ANNALS_KEY_SEALED ? ANNALS_PLACE_SEALED : ANNALS_PLACE_OPEN;
  return cursor->place;
}

static uint8_t *seek_key(struct annals_cursor *cursor) {
  return cursor->keys + 2 * (cursor->arn_size + ANNALS_KEY_PREFIX_EXTRA);
}

enum annals_place annals_cursor_seek(struct annals_cursor *cursor, enum annals_key_kind kind,
                                     int64_t id) {
  uint8_t *key = seek_key(cursor);
  size_t size = annals_key_put_seek(key, cursor->arn, cursor->arn_size, kind, id);
  rocksdb_iter_seek(cursor->iterator, (const char *)key, size);
  return arrive(cursor);
}

enum annals_place annals_cursor_seek_marker(struct annals_cursor *cursor) {
  uint8_t *key = seek_key(cursor);
  size_t size = annals_key_put_marker(key, cursor->arn, cursor->arn_size);
  rocksdb_iter_seek(cursor->iterator, (const char *)key, size);
  return arrive(cursor);
}

enum annals_place annals_cursor_next(struct annals_cursor *cursor) {
  rocksdb_iter_next(cursor->iterator);
  return arrive(cursor);
}

enum annals_place annals_cursor_next_open(struct annals_cursor *cursor, enum annals_tier tier,
                                          int64_t id) {
  if (skips_few(tier)) {
    annals_cursor_next(cursor);
    if (cursor->place != ANNALS_PLACE_FAILED || cursor->status != ANNALS_STATUS_INCOMPLETE) {
      return cursor->place;
    }
  }
  return annals_cursor_seek(cursor, ANNALS_KEY_OPEN, id);
}

enum annals_place annals_cursor_prev(struct annals_cursor *cursor) {
  rocksdb_iter_prev(cursor->iterator);
  return arrive(cursor);
}

static void fetch(const struct annals_run *run) {
  /* A damaged key may count so many that the product would overflow. */
  uint64_t count = (uint64_t)(run->last_id - run->first_id) + 1;
  if ((run->frames_bytes + FETCHED_EVENT_BYTES_MAX - 1) / FETCHED_EVENT_BYTES_MAX <= count) {
    for (size_t at = 0; at < run->frames_bytes; at += CACHE_LINE_BYTES) {
      __builtin_prefetch(run->frames + at);
    }
  }
}

bool annals_cursor_check_frames(struct annals_cursor *cursor) {
  const struct annals_run *run = &cursor->run;
  fetch(run);
  int64_t count = annals_frame_count(run->frames, run->frames_bytes);
  if (count != run->last_id - run->first_id + 1) {
    annals_cursor_fail(cursor, "frames that do not match the key");
    return false;
  }
  return true;
}
