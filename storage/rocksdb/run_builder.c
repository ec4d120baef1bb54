#include "storage/rocksdb/run_builder.h"

#include "storage/frame.h"

/* The part of the append that is not in a run yet. */
struct part {
  int64_t first_id;
  const uint8_t *frames;
  size_t bytes;
};

static void add_slice(struct annals_slices *slices, const void *bytes, size_t size) {
  g_assert(slices->count < (int)G_N_ELEMENTS(slices->bytes));
  slices->bytes[slices->count] = bytes;
  slices->sizes[slices->count] = size;
  slices->count++;
}

static void add_open_runs(struct annals_slices *slices, const GArray *open) {
  for (guint i = 0; i < open->len; i++) {
    size_t size;
    const void *bytes =
        g_bytes_get_data(g_array_index(open, struct annals_open_run, i).frames, &size);
    add_slice(slices, bytes, size);
  }
}

static void drop_open_runs(const GArray *open, struct annals_run_sink *sink) {
  for (guint i = 0; i < open->len; i++) {
    const struct annals_open_run *run = &g_array_index(open, struct annals_open_run, i);
    sink->drop(sink,
               &(struct annals_key){
                   .kind = ANNALS_KEY_OPEN, .first_id = run->first_id, .last_id = run->last_id});
  }
}

/* Puts the whole open part, which ends with part, as one sealed run in place of the open ones. */
static void seal(const struct annals_tail *tail, struct annals_tail_draft *draft,
                 const struct part *part, struct annals_run_sink *sink) {
  struct annals_tail *next = &draft->next;
  struct annals_slices value = {0};
  if (!draft->sealed) {
    add_open_runs(&value, tail->open);
  }
  add_open_runs(&value, next->open);
  if (part->bytes > 0) {
    add_slice(&value, part->frames, part->bytes);
  }
  sink->put(
      sink,
      &(struct annals_key){
          .kind = ANNALS_KEY_SEALED, .first_id = next->sealed_id + 1, .last_id = next->last_id},
      &value);
  if (!draft->sealed) {
    drop_open_runs(tail->open, sink);
  }
  drop_open_runs(next->open, sink);
  annals_tail_drop_open(next);
  draft->sealed = true;
  next->sealed_id = next->last_id;
  next->open_bytes = 0;
}

/* Puts what is left of the append as one open run. */
static void put_open(struct annals_tail *next, const struct part *part,
                     struct annals_run_sink *sink) {
  struct annals_slices value = {0};
  add_slice(&value, part->frames, part->bytes);
  sink->put(sink,
            &(struct annals_key){
                .kind = ANNALS_KEY_OPEN, .first_id = part->first_id, .last_id = next->last_id},
            &value);
  annals_tail_add_open(next, part->first_id, next->last_id, g_bytes_new(part->frames, part->bytes));
}

static bool is_full(int64_t open_events, size_t open_bytes) {
  return open_events >= ANNALS_RUN_EVENTS_MAX || open_bytes >= ANNALS_RUN_BYTES_MIN;
}

void annals_run_builder_add(const struct annals_tail *tail, struct annals_tail_draft *draft,
                            const struct annals_store_append *append,
                            struct annals_run_sink *sink) {
  struct annals_tail *next = &draft->next;
  struct part part = {.first_id = next->last_id + 1, .frames = append->frames};
  struct annals_frame frame;
  size_t offset = 0;
  while (annals_frame_next(append->frames, append->frames_bytes, &offset, &frame)) {
    next->last_id++;
    next->open_bytes += frame.size;
    part.bytes += frame.size;
    if (is_full(next->last_id - next->sealed_id, next->open_bytes)) {
      seal(tail, draft, &part, sink);
      part = (struct part){.first_id = next->last_id + 1, .frames = append->frames + offset};
    }
  }
  if (append->seal && next->last_id > next->sealed_id) {
    seal(tail, draft, &part, sink);
  } else if (part.bytes > 0) {
    put_open(next, &part, sink);
  }
  g_clear_pointer(&next->last_event, g_bytes_unref);
  next->last_event = g_bytes_new(frame.bytes, frame.size);
}

size_t annals_run_builder_bytes(const struct annals_tail *tail,
                                const struct annals_store_append *append) {
  bool seals = append->seal || is_full(tail->last_id - tail->sealed_id + append->event_count,
                                       tail->open_bytes + append->frames_bytes);
  return append->frames_bytes + (seals ? tail->open_bytes : 0);
}
