#include "storage/rocksdb/listing.h"

#include <string.h>

#include "storage/rocksdb/list_key.h"

/* A listing in memory gives up where a step has to pass more than so many tombstones: that is work
 * for a worker, half a millisecond and more. */
enum { SKIPPED_IN_CACHE_MAX = 1000 };

/* A place in one list. */
struct stream {
  const char *list;
  size_t list_size;
  GByteArray *end; /* the upper bound, to which options point */
  rocksdb_readoptions_t *options;
  rocksdb_iterator_t *iterator;
  const uint8_t *position; /* of the entry it stands at; NULL at the end */
  size_t position_size;
};

struct pass {
  struct annals_lister *lister;
  const rocksdb_snapshot_t *snapshot; /* one view for all lists */
  size_t count;
  struct stream streams[ANNALS_STORE_LISTS_MAX];
};

static void open_stream(struct pass *pass, const char *list) {
  struct annals_lister *lister = pass->lister;
  struct stream *stream = &pass->streams[pass->count++];
  *stream = (struct stream){.list = list, .list_size = strlen(list), .end = g_byte_array_new()};
  annals_list_key_set_end(stream->end, list);
  stream->options = rocksdb_readoptions_create();
  rocksdb_readoptions_set_snapshot(stream->options, pass->snapshot);
  annals_tier_apply(lister->tier, stream->options);
  if (lister->tier == ANNALS_TIER_CACHE) {
    rocksdb_readoptions_set_max_skippable_internal_keys(stream->options, SKIPPED_IN_CACHE_MAX);
  }
  /* The bound keeps it from walking over what was deleted from the next list. */
  rocksdb_readoptions_set_iterate_upper_bound(stream->options, (const char *)stream->end->data,
                                              stream->end->len);
  stream->iterator = rocksdb_create_iterator_cf(lister->db, stream->options, lister->listings);
}

static void pass_open(struct pass *pass, struct annals_lister *lister,
                      const struct annals_store_list *list) {
  g_assert(list->list_count >= 1 && list->list_count <= ANNALS_STORE_LISTS_MAX);
  *pass = (struct pass){.lister = lister, .snapshot = rocksdb_create_snapshot(lister->db)};
  for (size_t i = 0; i < list->list_count; i++) {
    open_stream(pass, list->lists[i]);
  }
}

static void pass_close(struct pass *pass) {
  for (size_t i = 0; i < pass->count; i++) {
    rocksdb_iter_destroy(pass->streams[i].iterator);
    rocksdb_readoptions_destroy(pass->streams[i].options);
    g_byte_array_unref(pass->streams[i].end);
  }
  rocksdb_release_snapshot(pass->lister->db, pass->snapshot);
}

/* The iterator has moved: finds the position, or says why there is none. */
static enum annals_status arrive(struct pass *pass, struct stream *stream) {
  struct annals_lister *lister = pass->lister;
  stream->position = NULL;
  if (!rocksdb_iter_valid(stream->iterator)) {
    char *error = NULL;
    rocksdb_iter_get_error(stream->iterator, &error);
    enum annals_status status = annals_status_classify(error);
    g_strlcpy(lister->detail, error != NULL ? error : "", sizeof lister->detail);
    rocksdb_free(error);
    return status;
  }
  size_t size;
  const uint8_t *key = (const uint8_t *)rocksdb_iter_key(stream->iterator, &size);
  if (!annals_list_key_parse(key, size, stream->list_size, &stream->position,
                             &stream->position_size)) {
    g_snprintf(lister->detail, sizeof lister->detail, "a key that is none in list %s",
               stream->list);
    return ANNALS_STATUS_CORRUPT;
  }
  return ANNALS_STATUS_OK;
}

static enum annals_status seek_behind(struct pass *pass, const GByteArray *position) {
  g_autoptr(GByteArray) key = g_byte_array_new();
  enum annals_status status = ANNALS_STATUS_OK;
  for (size_t i = 0; i < pass->count && status == ANNALS_STATUS_OK; i++) {
    struct stream *stream = &pass->streams[i];
    g_byte_array_set_size(key, 0);
    g_byte_array_append(key, (const guint8 *)stream->list, (guint)stream->list_size + 1);
    /* With its NUL, which no ARN holds: the next key of all behind position. */
    g_byte_array_append(key, position->data, position->len);
    rocksdb_iter_seek(stream->iterator, (const char *)key->data, key->len);
    status = arrive(pass, stream);
  }
  return status;
}

static int compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
  int order = memcmp(a, b, MIN(a_size, b_size));
  return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* Returns the stream that stands foremost, or NULL when all are at their end. */
static const struct stream *foremost(const struct pass *pass) {
  const struct stream *first = NULL;
  for (size_t i = 0; i < pass->count; i++) {
    const struct stream *stream = &pass->streams[i];
    if (stream->position != NULL &&
        (first == NULL || compare(stream->position, stream->position_size, first->position,
                                  first->position_size) < 0)) {
      first = stream;
    }
  }
  return first;
}

static bool hand_over(struct annals_store_list *list, const struct stream *stream,
                      GByteArray *position) {
  g_byte_array_set_size(position, 0);
  g_byte_array_append(position, stream->position, (guint)stream->position_size);
  g_byte_array_append(position, (const guint8 *)"", 1);
  size_t record_bytes;
  const char *record = rocksdb_iter_value(stream->iterator, &record_bytes);
  return list->on_entry(list, &(struct annals_store_entry){
                                  .rank = position->data,
                                  .arn = (const char *)position->data + ANNALS_STORE_RANK_BYTES,
                                  .record = (const uint8_t *)record,
                                  .record_bytes = record_bytes,
                              });
}

/* Moves on the streams that stand at position. */
static enum annals_status step(struct pass *pass, const GByteArray *position) {
  enum annals_status status = ANNALS_STATUS_OK;
  for (size_t i = 0; i < pass->count && status == ANNALS_STATUS_OK; i++) {
    struct stream *stream = &pass->streams[i];
    if (stream->position != NULL &&
        compare(stream->position, stream->position_size, position->data, position->len - 1) == 0) {
      rocksdb_iter_next(stream->iterator);
      status = arrive(pass, stream);
    }
  }
  return status;
}

GByteArray *annals_listing_start(const struct annals_store_list *list) {
  GByteArray *position = g_byte_array_new();
  g_byte_array_append(position, list->after_rank, ANNALS_STORE_RANK_BYTES);
  g_byte_array_append(position, (const guint8 *)list->after_arn,
                      (guint)strlen(list->after_arn) + 1);
  return position;
}

enum annals_status annals_listing_pass(struct annals_lister *lister, struct annals_store_list *list,
                                       GByteArray *position) {
  struct pass pass;
  pass_open(&pass, lister, list);
  enum annals_status status = seek_behind(&pass, position);
  const struct stream *stream;
  while (status == ANNALS_STATUS_OK && (stream = foremost(&pass)) != NULL &&
         hand_over(list, stream, position)) {
    status = step(&pass, position);
  }
  pass_close(&pass);
  return status;
}
