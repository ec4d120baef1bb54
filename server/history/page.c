#include "server/history/page.h"

#include "proto/canonical.h"
#include "server/history/arn.h"
#include "server/history/constraint.h"
#include "server/history/error.h"
#include "server/history/execution_record.h"
#include "server/history/page_token.h"

/* Room that the answer needs beside its events: the token and its framing. */
enum { ENVELOPE_BYTES = 256 };

/* A run that is shorter is copied: to send it by itself costs more. */
enum { PART_BYTES_MIN = 4096 };

/*
 *         all events fit, or the start time is known
 *   READ ──────────────────────────────────────────────► done
 *   ▲  │                                                  ▲
 *   └──┤ KEY, TIME               token given              │
 *      └──────────────────────────────────────► VERIFY ───┘
 *
 * VERIFY and TIME get the execution's record, for its start time; KEY gets a data key that an event
 * needs. Behind KEY and TIME the page is read from its beginning: so it is of one read, and of one
 * execution. VERIFY comes behind it: where the record has the token's start time still, the events
 * are of that execution, whose name was not used anew meanwhile. A token that TIME has made for one
 * whose name was is refused by the next page's VERIFY. Each state may suspend, and any may fail.
 */
enum step { STEP_READ, STEP_KEY, STEP_TIME, STEP_VERIFY };

/* --- what is asked for --- */

/* AWS checks constraints before the ARN's shape. */
static GError *check_request(const struct annals_page_request *request) {
  GError *error = NULL;
  annals_constraint_execution_arn(&error, request->execution_arn);
  annals_constraint_max_results(&error, request->max_results, ANNALS_PAGE_RESULTS_MAX);
  annals_constraint_length(&error, "next_token", request->next_token, ANNALS_PAGE_TOKEN_BYTES_MAX);
  if (error != NULL) {
    return error;
  }
  return annals_execution_arn_check(request->execution_arn, &error) ? NULL : error;
}

static GError *read_token(struct annals_page *page) {
  const struct annals_page_request *request = &page->request;
  const struct annals_history_options *options = annals_history_options(page->history);
  struct annals_page_token token;
  if (!annals_page_token_read(options->token_key, request->execution_arn, request->next_token,
                              &token)) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN,
                            "next_token is not one that was given out for this execution");
  }
  if (token.reverse_order != request->reverse_order ||
      token.include_execution_data != request->include_execution_data) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN,
                            "next_token belongs to a listing with another reverse_order or "
                            "include_execution_data");
  }
  if (annals_history_token_expired(page->history, token.issued_at_ms)) {
    return annals_error_new(ANNALS_REASON_INVALID_TOKEN, "next_token has expired: start over");
  }
  page->start_seconds = token.start_seconds;
  page->start_nanos = token.start_nanos;
  page->start_known = true;
  page->next_id = token.next_event_id;
  return NULL;
}

/* --- events --- */

static void note_start(struct annals_page *page, const struct annals_frame *frame) {
  struct annals_event_head head;
  const struct annals_schema *schema = annals_history_options(page->history)->schema;
  if (annals_canonical_head(schema, frame->event, frame->event_size, &head)) {
    page->start_seconds = head.seconds;
    page->start_nanos = head.nanos;
    page->start_known = true;
  }
}

/* Makes a plain event of one that is encrypted, as far as is asked for. Returns false when there is
 * none, for now or for good. */
static bool decrypt_event(struct annals_page *page, const struct annals_frame *frame,
                          struct annals_frame *ret_plain) {
  enum annals_decrypted decrypted =
      page->request.include_execution_data
          ? annals_decryptor_read(&page->decryptor, page->next_id, frame, ret_plain)
          : annals_decryptor_redact(&page->decryptor, frame, ret_plain);
  switch (decrypted) {
    case ANNALS_DECRYPTED:
      return true;
    case ANNALS_DECRYPTED_NEEDS_KEY:
      page->more = page->event_count > 0 && annals_decryptor_is_full(&page->decryptor);
      break;
    case ANNALS_DECRYPTED_DAMAGED:
      page->damaged = true;
      break;
    case ANNALS_DECRYPTED_NO_MEMORY:
      page->events.failed = true;
      break;
  }
  return false;
}

static int64_t max_results_of(const struct annals_page *page) {
  return page->request.max_results != 0 ? page->request.max_results : ANNALS_PAGE_RESULTS_DEFAULT;
}

/* Copies the frames of the run that are side by side, in one piece. */
static void flush_span(struct annals_page *page) {
  annals_buffer_append(&page->events, page->span, page->span_bytes);
  page->span_bytes = 0;
}

static void put_stored(struct annals_page *page, const struct annals_frame *frame) {
  if (page->span_bytes == 0 || page->span + page->span_bytes != frame->bytes) {
    flush_span(page);
    page->span = frame->bytes;
  }
  page->span_bytes += frame->size;
}

/* passing: the frame is a view that dies before the run's does. */
static bool put_event(struct annals_page *page, const struct annals_frame *frame, bool passing) {
  if (page->encode != NULL) {
    return page->encode(page, frame);
  }
  if (!passing) {
    put_stored(page, frame);
    return true;
  }
  flush_span(page);
  annals_buffer_append(&page->events, frame->bytes, frame->size);
  return !page->events.failed;
}

/* The bytes of the page so far. */
static size_t page_bytes(const struct annals_page *page) {
  return page->events.len + page->span_bytes + page->shared_bytes;
}

/* Takes the event back that was put last, and is too much for the page. len: before it was encoded.
 */
static void take_back(struct annals_page *page, const struct annals_frame *frame, size_t len) {
  if (page->encode != NULL) {
    page->events.len = len;
  } else if (page->span_bytes > 0) {
    page->span_bytes -= frame->size;
  } else {
    page->events.len -= frame->size;
  }
}

/* Puts the event with page->next_id into the page; returns whether more may follow. */
static bool take_event(struct annals_page *page, const struct annals_frame *frame) {
  const struct annals_history_options *options = annals_history_options(page->history);
  int64_t max_results = max_results_of(page);
  page->scanned_bytes += frame->size;
  if (page->event_count == max_results ||
      (page->event_count > 0 && page->scanned_bytes > options->page_scan_bytes_max)) {
    page->more = true;
    return false;
  }
  if (page->next_id == 1 && !page->start_known) {
    note_start(page, frame);
  }
  struct annals_frame plain;
  bool encrypted = frame->data_key != 0;
  if (encrypted) {
    if (!decrypt_event(page, frame, &plain)) {
      return false;
    }
    frame = &plain;
  }
  size_t len = page->events.len;
  if (!put_event(page, frame, encrypted)) {
    page->damaged = true;
    return false;
  }
  if (page->event_count > 0 && page_bytes(page) + ENVELOPE_BYTES > options->page_bytes_max) {
    take_back(page, frame, len);
    page->more = true;
    return false;
  }
  page->event_count++;
  page->next_id += page->request.reverse_order ? -1 : 1;
  return true;
}

static bool damaged(struct annals_page *page) {
  page->damaged = true;
  return false;
}

/* Tells whether all of a run that is kept is in the page, but for the page's bytes. */
static bool takes_whole(const struct annals_page *page, const struct annals_run *run) {
  const struct annals_history_options *options = annals_history_options(page->history);
  return run->shared != NULL && run->shared->plain && run->frames_bytes == run->shared->size &&
         run->frames_bytes >= PART_BYTES_MIN && !page->request.reverse_order &&
         page->next_id == run->first_id &&
         run->last_id - run->first_id < max_results_of(page) - page->event_count &&
         page->scanned_bytes + run->frames_bytes <= options->page_scan_bytes_max;
}

static bool has_room(const struct annals_page *page, size_t bytes) {
  const struct annals_history_options *options = annals_history_options(page->history);
  return page_bytes(page) + bytes + ENVELOPE_BYTES <= options->page_bytes_max;
}

static bool can_share(const struct annals_page *page, const struct annals_run *run) {
  return page->shares && takes_whole(page, run) &&
         run->frames_bytes <= page->events.max - page->events.cap &&
         has_room(page, run->frames_bytes);
}

/* Takes note of a run that is put into the page without looking into it: whoever keeps it has
 * checked its frames. */
static void pass_run(struct annals_page *page, const struct annals_run *run) {
  struct annals_frame frame;
  size_t offset = 0;
  if (page->next_id == 1 && !page->start_known &&
      annals_frame_next(run->frames, run->frames_bytes, &offset, &frame)) {
    note_start(page, &frame);
  }
  page->scanned_bytes += run->frames_bytes;
  page->event_count += (int32_t)(run->last_id - run->first_id + 1);
  page->next_id = run->last_id + 1;
}

static void share_run(struct annals_page *page, const struct annals_run *run) {
  struct annals_page_part part = {annals_shared_frames_ref(run->shared), page->events.len};
  if (page->parts == NULL) {
    page->parts = g_array_new(FALSE, FALSE, sizeof part);
  }
  g_array_append_val(page->parts, part);
  page->shared_bytes += run->frames_bytes;
  page->events.max -= run->frames_bytes; /* a page may have no more for its parts */
  pass_run(page, run);
}

static bool can_keep_encoded(const struct annals_page *page, const struct annals_run *run) {
  return page->put_encoded != NULL && page->request.include_execution_data &&
         takes_whole(page, run);
}

/* Puts what was made of the run for another page. Returns false when that is not there, or too much
 * for this one. */
static bool put_encoded(struct annals_page *page, const struct annals_run *run) {
  const struct annals_encoded *encoded = annals_shared_frames_encoded(run->shared);
  if (encoded == NULL || !has_room(page, page->lead_bytes(page) + encoded->size)) {
    return false;
  }
  if (page->put_encoded(page, encoded->bytes, encoded->size)) {
    pass_run(page, run);
  }
  return true;
}

/* Keeps what was made of the run, if all of it is in the page, and not as an event that is too much
 * for any but by itself. */
static void keep_encoded(struct annals_page *page, const struct annals_run *run, size_t start) {
  bool whole = page->next_id == run->last_id + 1 && !page->events.failed && !page->damaged;
  if (whole && has_room(page, 0)) {
    annals_shared_frames_keep_encoded(run->shared, page->events.data + start,
                                      page->events.len - start);
  }
}

static void drop_parts(struct annals_page *page) {
  for (guint i = 0; page->parts != NULL && i < page->parts->len; i++) {
    annals_shared_frames_unref(g_array_index(page->parts, struct annals_page_part, i).frames);
  }
  g_clear_pointer(&page->parts, g_array_unref);
  page->events.max += page->shared_bytes;
  page->shared_bytes = 0;
}

static bool take_run_forward(struct annals_page *page, const struct annals_run *run) {
  struct annals_frame frame;
  size_t offset = 0;
  int64_t id = run->first_id;
  for (; annals_frame_next(run->frames, run->frames_bytes, &offset, &frame); id++) {
    if (id == page->next_id && !take_event(page, &frame)) {
      return false;
    }
  }
  return offset == run->frames_bytes && id == run->last_id + 1 ? true : damaged(page);
}

static bool take_run_reverse(struct annals_page *page, const struct annals_run *run) {
  g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(struct annals_frame));
  struct annals_frame frame;
  size_t offset = 0;
  while (annals_frame_next(run->frames, run->frames_bytes, &offset, &frame)) {
    g_array_append_val(frames, frame);
  }
  if (offset != run->frames_bytes || frames->len != run->last_id - run->first_id + 1) {
    return damaged(page);
  }
  while (page->next_id >= run->first_id) {
    guint i = (guint)(page->next_id - run->first_id);
    if (!take_event(page, &g_array_index(frames, struct annals_frame, i))) {
      return false;
    }
  }
  return page->next_id > 0;
}

/* Makes room for what is likely to come: of the run, and once there has been one, of all. Frames
 * that are encoded grow by half, as JSON does, or shrink to what nobody knows. */
static void make_room(struct annals_page *page, const struct annals_run *run) {
  size_t bytes_max = annals_history_options(page->history)->page_bytes_max;
  size_t left = (size_t)(max_results_of(page) - page->event_count);
  size_t bytes;
  if (page->event_count > 0) {
    bytes = page_bytes(page) / (size_t)page->event_count * left;
  } else if (page->encode != NULL && !page->request.include_execution_data) {
    return;
  } else {
    size_t count = (size_t)(run->last_id - run->first_id + 1);
    bytes = left < count ? run->frames_bytes / count * left : run->frames_bytes;
    bytes += page->encode != NULL ? bytes / 2 : 0;
  }
  bytes = MIN(bytes, bytes_max - MIN(bytes_max, page_bytes(page))) + ENVELOPE_BYTES;
  (void)!annals_buffer_reserve(&page->events, MIN(bytes, page->events.max - page->events.len));
}

static bool take_run(struct annals_store_read *read, const struct annals_run *run) {
  struct annals_page *page = read->op.owner;
  if (annals_cancel_is_due(page->cancel)) {
    page->abandoned = true;
    return false;
  }
  if (page->request.reverse_order && page->next_id > run->last_id) {
    page->next_id = run->last_id; /* the end of the history, which nobody knew before */
  }
  if (page->next_id < run->first_id || page->next_id > run->last_id) {
    return damaged(page);
  }
  if (can_share(page, run)) {
    share_run(page, run);
    return true;
  }
  make_room(page, run);
  bool keeps = can_keep_encoded(page, run);
  if (keeps && put_encoded(page, run)) {
    return !page->events.failed;
  }
  size_t start = page->events.len + (keeps ? page->lead_bytes(page) : 0);
  bool more =
      page->request.reverse_order ? take_run_reverse(page, run) : take_run_forward(page, run);
  flush_span(page);
  if (keeps) {
    keep_encoded(page, run, start);
  }
  return more && !page->events.failed;
}

/* --- the steps --- */

static enum annals_progress advance(struct annals_page *page);

static void resume_page(struct annals_page *page) {
  if (advance(page) == ANNALS_DONE) {
    page->on_done(page);
  }
}

static void resume(struct annals_store_op *op) {
  resume_page(op->owner);
}

static bool start_get(struct annals_page *page) {
  struct annals_store *store = annals_history_options(page->history)->store;
  page->get = (struct annals_store_get){
      .op = {.on_done = resume, .owner = page},
      .arn = page->request.execution_arn,
  };
  return store->ops->get(store, &page->get) == ANNALS_STORE_DONE;
}

static bool start_read(struct annals_page *page) {
  struct annals_store *store = annals_history_options(page->history)->store;
  page->next_id = page->first_id;
  page->event_count = 0;
  page->more = false;
  page->scanned_bytes = 0;
  annals_buffer_reset(&page->events);
  drop_parts(page);
  page->read = (struct annals_store_read){
      .op = {.on_done = resume, .owner = page},
      .arn = page->request.execution_arn,
      .from_id = page->next_id,
      .reverse = page->request.reverse_order,
      .on_run = take_run,
  };
  return store->ops->read(store, &page->read) == ANNALS_STORE_DONE;
}

static void on_key(struct annals_decryptor *decryptor) {
  resume_page(decryptor->owner);
}

static bool start_key(struct annals_page *page) {
  page->decryptor.on_done = on_key;
  page->decryptor.owner = page;
  return annals_decryptor_fetch(&page->decryptor) == ANNALS_DONE;
}

static GError *store_error(const struct annals_page *page, const struct annals_store_op *op) {
  return op->outcome == ANNALS_STORE_NOT_FOUND
             ? annals_history_missing_error(page->request.execution_arn)
             : annals_history_read_error(op);
}

/* Gets the start time out of the record; frees the record. */
static GError *record_start(struct annals_page *page, int64_t *ret_seconds, int32_t *ret_nanos) {
  if (page->get.op.outcome != ANNALS_STORE_OK) {
    return store_error(page, &page->get.op);
  }
  struct annals_execution execution;
  bool ok = annals_execution_read(page->get.record, &execution);
  g_clear_pointer(&page->get.record, g_bytes_unref);
  if (!ok) {
    return annals_history_damage_error("the execution's record");
  }
  *ret_seconds = execution.start_seconds;
  *ret_nanos = execution.start_nanos;
  annals_execution_clear(&execution);
  return NULL;
}

/* What is wrong with the token comes before what is wrong with the events. */
static void finish_verify(struct annals_page *page) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  GError *error = record_start(page, &seconds, &nanos);
  annals_history_name_damaged(error, page->request.execution_arn);
  if (error == NULL && (seconds != page->start_seconds || nanos != page->start_nanos)) {
    error = annals_error_new(ANNALS_REASON_INVALID_TOKEN,
                             "next_token belongs to an earlier execution of this name");
  }
  if (error != NULL) {
    g_clear_error(&page->error);
    page->error = error;
    annals_buffer_reset(&page->events);
    drop_parts(page);
    page->event_count = 0;
  }
}

static void finish_read(struct annals_page *page) {
  if (page->abandoned) {
    page->error = annals_cancel_error(page->cancel);
  } else if (page->read.op.outcome != ANNALS_STORE_OK) {
    page->error = store_error(page, &page->read.op);
  } else if (page->events.failed) {
    page->error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this page");
  } else if (page->damaged) {
    page->error = annals_history_damage_error("an event of the history");
  }
  annals_history_name_damaged(page->error, page->request.execution_arn);
}

static void write_token(struct annals_page *page) {
  struct annals_page_token token = {
      .issued_at_ms = annals_history_now_us(page->history) / 1000,
      .start_seconds = page->start_seconds,
      .start_nanos = page->start_nanos,
      .reverse_order = page->request.reverse_order,
      .include_execution_data = page->request.include_execution_data,
      .next_event_id = page->next_id,
  };
  page->next_token = annals_page_token_write(annals_history_options(page->history)->token_key,
                                             page->request.execution_arn, &token);
}

/* Starts the step that is next. */
static bool start_step(struct annals_page *page) {
  switch ((enum step)page->step) {
    case STEP_READ:
      return start_read(page);
    case STEP_KEY:
      return start_key(page);
    case STEP_TIME:
    case STEP_VERIFY:
      break;
  }
  return start_get(page);
}

/* The page is made, or cannot be. */
static bool finish_page(struct annals_page *page) {
  if (page->error == NULL && page->more) {
    write_token(page);
  }
  return false;
}

/* There are events, or reasons why not. */
static bool finish_events(struct annals_page *page) {
  bool found = !page->abandoned && page->read.op.outcome == ANNALS_STORE_OK;
  if (page->request.next_token != NULL && found) {
    page->step = STEP_VERIFY;
    return true;
  }
  return finish_page(page);
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_page *page) {
  switch ((enum step)page->step) {
    case STEP_READ:
      finish_read(page);
      if (page->error == NULL && !page->more && annals_decryptor_needs_key(&page->decryptor)) {
        page->step = STEP_KEY;
        return true;
      }
      if (page->error == NULL && page->more && !page->start_known) {
        page->step = STEP_TIME;
        return true;
      }
      return finish_events(page);
    case STEP_KEY:
      page->error = annals_decryptor_take_key(&page->decryptor);
      page->step = STEP_READ;
      return page->error == NULL || finish_events(page);
    case STEP_TIME:
      page->error = record_start(page, &page->start_seconds, &page->start_nanos);
      annals_history_name_damaged(page->error, page->request.execution_arn);
      page->start_known = true;
      page->step = STEP_READ;
      return page->error == NULL;
    case STEP_VERIFY:
      finish_verify(page);
      return finish_page(page);
  }
  return false;
}

/* A step of the store has ended: goes on until one is pending or the page is made. */
static enum annals_progress advance(struct annals_page *page) {
  while (finish_step(page)) {
    if (annals_cancel_is_due(page->cancel)) {
      g_clear_error(&page->error);
      page->error = annals_cancel_error(page->cancel);
      return ANNALS_DONE;
    }
    if (!start_step(page)) {
      return ANNALS_PENDING;
    }
  }
  return ANNALS_DONE;
}

enum annals_progress annals_page_get(struct annals_history *history, struct annals_page *page) {
  page->history = history;
  annals_buffer_init(&page->events, ANNALS_PAGE_BUFFER_BYTES_MAX);
  annals_decryptor_begin(&page->decryptor, history, page->request.execution_arn);
  page->error = check_request(&page->request);
  if (page->error != NULL ||
      !annals_authorize(history, page->request.principal, ANNALS_ACTION_GET_EXECUTION_HISTORY,
                        page->request.execution_arn, &page->error)) {
    return ANNALS_DONE;
  }
  page->next_id = page->request.reverse_order ? INT64_MAX : 1;
  page->step = STEP_READ;
  if (page->request.next_token != NULL) {
    page->error = read_token(page);
    if (page->error != NULL) {
      return ANNALS_DONE;
    }
  }
  page->first_id = page->next_id;
  return start_step(page) ? advance(page) : ANNALS_PENDING;
}

void annals_page_clear(struct annals_page *page) {
  g_clear_error(&page->error);
  annals_buffer_clear(&page->events);
  drop_parts(page);
  annals_decryptor_clear(&page->decryptor);
  g_clear_pointer(&page->next_token, g_free);
}
