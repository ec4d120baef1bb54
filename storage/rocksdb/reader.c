#include "storage/rocksdb/reader.h"

#include "storage/frame.h"

/* One pass over a history. */
struct pass {
  struct annals_cursor cursor;
  struct annals_store_read *read;
  struct annals_read_state *state;
  enum annals_tier tier;
  bool first;   /* the next run is the pass's first: it may hold more than what is wanted */
  bool stopped; /* on_run has enough */
  struct annals_run_visit *visit;
  int64_t last_id; /* where the history ends; 0: it was not read to there */
};

/* Cuts what lies below first_id. */
static void cut_below(struct annals_run *run, int64_t first_id) {
  size_t offset = 0;
  struct annals_frame frame;
  while (run->first_id < first_id &&
         annals_frame_next(run->frames, run->frames_bytes, &offset, &frame)) {
    run->first_id++;
  }
  run->frames += offset;
  run->frames_bytes -= offset;
}

/* Cuts what lies above last_id. */
static void cut_above(struct annals_run *run, int64_t last_id) {
  size_t offset = 0;
  struct annals_frame frame;
  for (int64_t id = run->first_id;
       id <= last_id && annals_frame_next(run->frames, run->frames_bytes, &offset, &frame); id++) {
  }
  run->last_id = last_id;
  run->frames_bytes = offset;
}

/* Hands over a run that has been checked. Returns whether to go on. */
static bool hand_over(struct pass *pass, struct annals_run run) {
  struct annals_read_state *state = pass->state;
  bool reverse = pass->read->reverse;
  if (state->delivered && !reverse && run.first_id < state->next_id) {
    cut_below(&run, state->next_id);
  }
  if (state->delivered && reverse && run.last_id > state->next_id) {
    cut_above(&run, state->next_id);
  }
  state->next_id = reverse ? run.first_id - 1 : run.last_id + 1;
  state->delivered = true;
  pass->first = false;
  pass->stopped = !pass->read->on_run(pass->read, &run);
  return !pass->stopped;
}

/* Hands over a run that RocksDB had, and keeps it for those who come later. */
static bool keep_and_hand_over(struct pass *pass, struct annals_run run) {
  if (pass->visit != NULL) {
    annals_run_visit_keep(pass->visit, &run);
  }
  bool more = hand_over(pass, run);
  annals_shared_frames_unref(run.shared);
  return more;
}

/* Hands over what is kept. Returns whether that was all: if not, RocksDB has the rest. */
static bool read_kept(struct pass *pass) {
  bool more = true;
  while (more && pass->state->next_id > 0) {
    struct annals_run run;
    switch (annals_run_visit_find(pass->visit, pass->state->next_id, pass->read->reverse, &run)) {
      case ANNALS_RUN_UNKNOWN:
        return false;
      case ANNALS_RUN_BEHIND_END:
        return true;
      case ANNALS_RUN_FOUND:
        break;
    }
    more = hand_over(pass, run);
    annals_shared_frames_unref(run.shared);
  }
  return true;
}

/* Hands over the run at the cursor. Returns whether to go on: not when damaged, either. */
static bool deliver(struct pass *pass) {
  const struct annals_run *run = &pass->cursor.run;
  int64_t next_id = pass->state->next_id;
  int64_t near_id = pass->read->reverse ? run->last_id : run->first_id;
  bool fits =
      pass->first ? run->first_id <= next_id && next_id <= run->last_id : near_id == next_id;
  if (!fits) {
    annals_cursor_fail(&pass->cursor, "a gap");
    return false;
  }
  return annals_cursor_check_frames(&pass->cursor) && keep_and_hand_over(pass, *run);
}

/* The cursor was sent to a sealed run or the marker, and came to none: says what that means. Only
 * an execution without any key is not there; one taken for absent would be begun a second time. */
static enum annals_status no_marker(struct annals_cursor *cursor) {
  if (cursor->place == ANNALS_PLACE_OPEN) {
    annals_cursor_fail(cursor, "no marker before the tail");
  } else if (cursor->place == ANNALS_PLACE_END &&
             annals_cursor_seek(cursor, ANNALS_KEY_SEALED, 0) == ANNALS_PLACE_SEALED) {
    annals_cursor_fail(cursor, "no marker behind the sealed runs");
  }
  return cursor->place == ANNALS_PLACE_FAILED ? cursor->status : ANNALS_STATUS_NOT_FOUND;
}

/* Goes from the marker to the open run that holds the next id, or where it would stand. */
static void go_to_open(struct pass *pass) {
  int64_t next_id = pass->state->next_id;
  if (pass->first) {
    annals_cursor_seek(&pass->cursor, ANNALS_KEY_OPEN, next_id);
  } else {
    annals_cursor_next_open(&pass->cursor, pass->tier, next_id);
  }
}

static enum annals_status read_forward(struct pass *pass) {
  struct annals_cursor *cursor = &pass->cursor;
  annals_cursor_seek(cursor, ANNALS_KEY_SEALED, pass->state->next_id);
  while (cursor->place == ANNALS_PLACE_SEALED && deliver(pass)) {
    annals_cursor_next(cursor);
  }
  if (pass->stopped) {
    return ANNALS_STATUS_OK;
  }
  if (cursor->place != ANNALS_PLACE_MARKER) {
    return no_marker(cursor);
  }
  go_to_open(pass);
  while (cursor->place == ANNALS_PLACE_OPEN && deliver(pass)) {
    annals_cursor_next(cursor);
  }
  if (cursor->place == ANNALS_PLACE_END && pass->state->delivered) {
    pass->last_id = pass->state->next_id - 1;
  }
  return cursor->place == ANNALS_PLACE_FAILED ? cursor->status : ANNALS_STATUS_OK;
}

/* Appends to frames the open runs from first_id to the one that holds next_id. Returns the last
 * one's last id, first_id - 1 if there is none, or -1 having failed. */
static int64_t collect_open(struct pass *pass, int64_t first_id, GByteArray *frames) {
  struct annals_cursor *cursor = &pass->cursor;
  int64_t last_id = first_id - 1;
  annals_cursor_seek(cursor, ANNALS_KEY_OPEN, first_id);
  while (cursor->place == ANNALS_PLACE_OPEN && last_id < pass->state->next_id) {
    if (cursor->run.first_id != last_id + 1) {
      annals_cursor_fail(cursor, "a gap");
    } else if (annals_cursor_check_frames(cursor)) {
      g_byte_array_append(frames, cursor->run.frames, (guint)cursor->run.frames_bytes);
      last_id = cursor->run.last_id;
      annals_cursor_next(cursor);
    }
  }
  return cursor->place == ANNALS_PLACE_FAILED ? -1 : last_id;
}

/* Steps back from the marker. Returns the last sealed id, 0 if there is none, -1 having failed. */
static int64_t last_sealed_id(struct annals_cursor *cursor) {
  switch (annals_cursor_prev(cursor)) {
    case ANNALS_PLACE_SEALED:
      return cursor->run.last_id;
    case ANNALS_PLACE_END:
      return 0;
    case ANNALS_PLACE_MARKER:
    case ANNALS_PLACE_OPEN:
      annals_cursor_fail(cursor, "keys out of order");
      break;
    case ANNALS_PLACE_FAILED:
      break;
  }
  return -1;
}

/*
 * Hands over the open tail up to next_id as one run: it is small, and its runs may be of one event
 * each. The cursor stands at the marker.
 */
static enum annals_status read_tail_reverse(struct pass *pass) {
  struct annals_cursor *cursor = &pass->cursor;
  int64_t sealed_id = last_sealed_id(cursor);
  if (sealed_id < 0) {
    return cursor->status;
  }
  g_autoptr(GByteArray) frames = g_byte_array_new();
  int64_t last_id = collect_open(pass, sealed_id + 1, frames);
  if (last_id < 0) {
    return cursor->status;
  }
  if (last_id == 0) {
    annals_cursor_fail(cursor, "no event");
    return cursor->status;
  }
  if (cursor->place == ANNALS_PLACE_END) {
    pass->last_id = last_id;
  }
  pass->state->next_id = MIN(pass->state->next_id, last_id);
  if (last_id > sealed_id) {
    keep_and_hand_over(pass, (struct annals_run){.first_id = sealed_id + 1,
                                                 .last_id = last_id,
                                                 .frames = frames->data,
                                                 .frames_bytes = frames->len});
  }
  return ANNALS_STATUS_OK;
}

static enum annals_status read_reverse(struct pass *pass) {
  struct annals_cursor *cursor = &pass->cursor;
  annals_cursor_seek(cursor, ANNALS_KEY_SEALED, pass->state->next_id);
  if (cursor->place == ANNALS_PLACE_MARKER) {
    enum annals_status status = read_tail_reverse(pass);
    if (status != ANNALS_STATUS_OK || pass->stopped || pass->state->next_id == 0) {
      return status;
    }
    annals_cursor_seek(cursor, ANNALS_KEY_SEALED, pass->state->next_id);
  }
  while (cursor->place == ANNALS_PLACE_SEALED && deliver(pass) && pass->state->next_id > 0) {
    annals_cursor_seek(cursor, ANNALS_KEY_SEALED, pass->state->next_id);
  }
  if (cursor->place == ANNALS_PLACE_SEALED) {
    return ANNALS_STATUS_OK;
  }
  if (cursor->place == ANNALS_PLACE_MARKER) {
    annals_cursor_fail(cursor, "a gap");
  }
  return no_marker(cursor);
}

static void reader_cursor(struct annals_reader *reader, const char *arn,
                          struct annals_cursor *ret_cursor) {
  annals_cursor_open(ret_cursor, reader->db, reader->history, arn, reader->tier);
}

/*
 * Closes the cursor, keeping its detail when the status is a failure.
 *
 * What memory does not have is not for it to say: stepping back, RocksDB has come to the beginning
 * where it should have said that it must read the disk. So the disk has the last word on what is
 * missing, whether that makes an execution one that is not there, or damaged.
 */
static enum annals_status reader_end(struct annals_reader *reader, struct annals_cursor *cursor,
                                     enum annals_status status) {
  if (reader->tier == ANNALS_TIER_CACHE &&
      (status == ANNALS_STATUS_NOT_FOUND || status == ANNALS_STATUS_CORRUPT)) {
    status = ANNALS_STATUS_INCOMPLETE;
  }
  g_strlcpy(reader->detail, status != ANNALS_STATUS_OK ? cursor->detail : "",
            sizeof reader->detail);
  annals_cursor_close(cursor);
  return status;
}

/* Checks that what was handed over before is of the history that this pass sees. */
static enum annals_status check_birth(struct pass *pass) {
  struct annals_cursor *cursor = &pass->cursor;
  if (annals_cursor_seek_marker(cursor) != ANNALS_PLACE_MARKER) {
    return no_marker(cursor);
  }
  return cursor->birth >= pass->state->begun ? ANNALS_STATUS_NOT_FOUND : ANNALS_STATUS_OK;
}

enum annals_status annals_reader_pass(struct annals_reader *reader, struct annals_store_read *read,
                                      struct annals_read_state *state) {
  if (state->delivered && read->reverse && state->next_id == 0) {
    return ANNALS_STATUS_OK;
  }
  struct pass pass = {.read = read, .state = state, .tier = reader->tier, .visit = reader->visit};
  if (pass.visit != NULL && read_kept(&pass)) {
    return ANNALS_STATUS_OK;
  }
  if (reader->odds != NULL && !annals_memory_odds_ask(reader->odds)) {
    return ANNALS_STATUS_INCOMPLETE;
  }
  pass.first = true;
  reader_cursor(reader, read->arn, &pass.cursor);
  enum annals_status status = state->delivered ? check_birth(&pass) : ANNALS_STATUS_OK;
  if (status == ANNALS_STATUS_OK) {
    status = read->reverse ? read_reverse(&pass) : read_forward(&pass);
  }
  if (status == ANNALS_STATUS_OK && pass.visit != NULL && pass.last_id > 0) {
    annals_run_visit_keep_end(pass.visit, pass.last_id);
  }
  status = reader_end(reader, &pass.cursor, status);
  if (reader->odds != NULL) {
    annals_memory_odds_note(reader->odds, status != ANNALS_STATUS_INCOMPLETE);
  }
  return status;
}

/* Returns a copy of the last frame of a run, or NULL having failed. */
static GBytes *last_frame(struct annals_cursor *cursor) {
  if (!annals_cursor_check_frames(cursor)) {
    return NULL;
  }
  size_t offset = 0;
  struct annals_frame frame;
  while (annals_frame_next(cursor->run.frames, cursor->run.frames_bytes, &offset, &frame)) {
  }
  return g_bytes_new(frame.bytes, frame.size);
}

static bool set_last_event(struct annals_cursor *cursor, struct annals_tail *tail) {
  GBytes *event = last_frame(cursor);
  if (event == NULL) {
    return false;
  }
  g_clear_pointer(&tail->last_event, g_bytes_unref);
  tail->last_event = event;
  tail->last_id = cursor->run.last_id;
  return true;
}

/* Loads what lies behind the last sealed run. */
static void load_open(struct annals_cursor *cursor, struct annals_tail *tail) {
  annals_cursor_seek(cursor, ANNALS_KEY_OPEN, tail->sealed_id + 1);
  while (cursor->place == ANNALS_PLACE_OPEN) {
    const struct annals_run *run = &cursor->run;
    if (run->first_id != tail->last_id + 1) {
      annals_cursor_fail(cursor, "a gap");
    } else if (set_last_event(cursor, tail)) {
      annals_tail_add_open(tail, run->first_id, run->last_id,
                           g_bytes_new(run->frames, run->frames_bytes));
      tail->open_bytes += run->frames_bytes;
      annals_cursor_next(cursor);
    }
  }
}

static enum annals_status load_tail(struct annals_cursor *cursor, struct annals_tail *tail) {
  annals_cursor_seek_marker(cursor);
  if (cursor->place != ANNALS_PLACE_MARKER) {
    enum annals_status status = no_marker(cursor);
    return status == ANNALS_STATUS_NOT_FOUND ? ANNALS_STATUS_OK : status;
  }
  tail->sealed_id = last_sealed_id(cursor);
  if (tail->sealed_id < 0 || (tail->sealed_id > 0 && !set_last_event(cursor, tail))) {
    return cursor->status;
  }
  load_open(cursor, tail);
  if (cursor->place != ANNALS_PLACE_FAILED && tail->last_id == 0) {
    annals_cursor_fail(cursor, "no event");
  }
  return cursor->place == ANNALS_PLACE_FAILED ? cursor->status : ANNALS_STATUS_OK;
}

enum annals_status annals_reader_load_tail(struct annals_reader *reader, const char *arn,
                                           struct annals_tail *ret_tail) {
  struct annals_cursor cursor;
  reader_cursor(reader, arn, &cursor);
  struct annals_tail tail;
  annals_tail_init(&tail);
  enum annals_status status = load_tail(&cursor, &tail);
  if (status == ANNALS_STATUS_OK && tail.last_id == 0 && reader->tier == ANNALS_TIER_CACHE) {
    status = ANNALS_STATUS_INCOMPLETE;
  }
  if (status == ANNALS_STATUS_OK) {
    *ret_tail = tail;
  } else {
    annals_tail_clear(&tail);
  }
  return reader_end(reader, &cursor, status);
}

enum annals_status annals_reader_find(struct annals_reader *reader, const char *arn,
                                      uint64_t *ret_birth) {
  struct annals_cursor cursor;
  reader_cursor(reader, arn, &cursor);
  annals_cursor_seek_marker(&cursor);
  enum annals_status status =
      cursor.place == ANNALS_PLACE_MARKER ? ANNALS_STATUS_OK : no_marker(&cursor);
  if (status == ANNALS_STATUS_OK) {
    *ret_birth = cursor.birth;
  }
  return reader_end(reader, &cursor, status);
}
