#include "server/history/page_runs.h"

#include <string.h>

#include "proto/canonical.h"

/* Room that the answer needs beside its events: the token and its framing. */
enum { ENVELOPE_BYTES = 256 };

/* What is shorter is copied: to send it by itself costs more. */
enum { PART_BYTES_MIN = 4096 };

static int64_t max_results_of(const struct annals_page *page) {
  return page->request.max_results != 0 ? page->request.max_results : ANNALS_PAGE_RESULTS_DEFAULT;
}

static bool damaged(struct annals_page *page) {
  page->damaged = true;
  return false;
}

static void note_start(struct annals_page *page, const struct annals_frame *frame) {
  struct annals_event_head head;
  const struct annals_schema *schema = annals_history_options(page->history)->schema;
  if (annals_canonical_head(schema, frame->event, frame->event_size, &head)) {
    page->start_seconds = head.seconds;
    page->start_nanos = head.nanos;
    page->start_known = true;
  }
}

/* The bytes of the page so far. */
static size_t page_bytes(const struct annals_page *page) {
  return page->events.len + page->span_bytes + page->shared_bytes;
}

static bool has_room(const struct annals_page *page, size_t bytes) {
  const struct annals_history_options *options = annals_history_options(page->history);
  return page_bytes(page) + bytes + ENVELOPE_BYTES <= options->page_bytes_max;
}

/* What stands before the event that comes next. */
static const char *lead_of(const struct annals_page *page) {
  const char *lead = page->event_count == 0 ? page->format->opening : page->format->separator;
  return lead != NULL ? lead : "";
}

static void append_lead(struct annals_page *page) {
  const char *lead = lead_of(page);
  if (lead[0] != '\0') {
    annals_buffer_append_text(&page->events, lead);
  }
}

static bool has_grown(struct annals_page *page) {
  return !page->events.failed && (page->hold == NULL || page->hold(page));
}

/* --- event by event --- */

/* Makes a plain event of one that is encrypted, as far as is asked for. */
static enum annals_decrypted decrypt(struct annals_page *page, int64_t id,
                                     const struct annals_frame *frame,
                                     struct annals_frame *ret_plain) {
  return page->request.include_execution_data
             ? annals_decryptor_read(&page->decryptor, id, frame, ret_plain)
             : annals_decryptor_redact(&page->decryptor, frame, ret_plain);
}

/* Decrypts the event with page->next_id. Returns false when there is none, for now or for good. */
static bool decrypt_next(struct annals_page *page, const struct annals_frame *frame,
                         struct annals_frame *ret_plain) {
  switch (decrypt(page, page->next_id, frame, ret_plain)) {
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
  if (page->format->encode != NULL) {
    append_lead(page);
    return page->format->encode(page, frame, &page->events) && has_grown(page);
  }
  if (!passing) {
    put_stored(page, frame);
    return true;
  }
  flush_span(page);
  annals_buffer_append(&page->events, frame->bytes, frame->size);
  return !page->events.failed;
}

/* Takes the event back that was put last, and is too much for the page. len: before it was encoded.
 */
static void take_back(struct annals_page *page, const struct annals_frame *frame, size_t len) {
  if (page->format->encode != NULL) {
    page->events.len = len;
  } else if (page->span_bytes > 0) {
    page->span_bytes -= frame->size;
  } else {
    page->events.len -= frame->size;
  }
}

/* Tells whether a page with so many events may look at one more. */
static bool may_look(struct annals_page *page, int64_t event_count, size_t frame_size) {
  const struct annals_history_options *options = annals_history_options(page->history);
  page->scanned_bytes += frame_size;
  return event_count < max_results_of(page) &&
         (event_count == 0 || page->scanned_bytes <= options->page_scan_bytes_max);
}

/* Puts the event with page->next_id into the page; returns whether more may follow. */
static bool take_event(struct annals_page *page, const struct annals_frame *frame) {
  if (!may_look(page, page->event_count, frame->size)) {
    page->more = true;
    return false;
  }
  if (page->next_id == 1 && !page->start_known) {
    note_start(page, frame);
  }
  struct annals_frame plain;
  bool encrypted = frame->data_key != 0;
  if (encrypted) {
    if (!decrypt_next(page, frame, &plain)) {
      return false;
    }
    frame = &plain;
  }
  size_t len = page->events.len;
  if (!put_event(page, frame, encrypted)) {
    return damaged(page);
  }
  if (page->event_count > 0 && !has_room(page, 0)) {
    take_back(page, frame, len);
    page->more = true;
    return false;
  }
  page->event_count++;
  page->next_id += page->request.reverse_order ? -1 : 1;
  return true;
}

static bool take_forward(struct annals_page *page, const struct annals_run *run) {
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

static bool take_reverse(struct annals_page *page, const struct annals_run *run) {
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
  } else if (!page->request.include_execution_data) {
    return;
  } else {
    size_t count = (size_t)(run->last_id - run->first_id + 1);
    bytes = left < count ? run->frames_bytes / count * left : run->frames_bytes;
    bytes += page->format->encode != NULL ? bytes / 2 : 0;
  }
  bytes = MIN(bytes, bytes_max - MIN(bytes_max, page_bytes(page))) + ENVELOPE_BYTES;
  (void)!annals_buffer_reserve(&page->events, MIN(bytes, page->events.max - page->events.len));
}

static bool take_events(struct annals_page *page, const struct annals_run *run) {
  make_room(page, run);
  bool more = page->request.reverse_order ? take_reverse(page, run) : take_forward(page, run);
  flush_span(page);
  return more && !page->events.failed;
}

/* --- forms --- */

/* The number under which a run's form for such pages is kept. */
static guint form_number(const struct annals_page *page) {
  const guint encoding = page->format->encoding;
  const guint number = encoding * 4 + (page->request.include_execution_data ? 2 : 0) +
                       (page->request.reverse_order ? 1 : 0);
  g_assert(number < ANNALS_FORMS);
  return number;
}

/* The place in a form of the event that comes next. */
static guint next_place(const struct annals_page *page, const struct annals_run *run) {
  return (guint)(page->request.reverse_order ? run->last_id - page->next_id
                                             : page->next_id - run->first_id);
}

/* The frame that the event at a place of a form was made of. */
static bool frame_at(const struct annals_page *page, const struct annals_run *run, guint place,
                     struct annals_frame *ret_frame) {
  const struct annals_form *stored = run->shared->stored;
  const guint index = page->request.reverse_order ? stored->count - 1 - place : place;
  size_t offset = annals_form_start(stored, index);
  return annals_frame_next(stored->bytes, stored->size, &offset, ret_frame);
}

/* Appends the event at a place of a form as it will stand there. */
static bool encode_at(struct annals_page *page, const struct annals_run *run, guint place,
                      struct annals_buffer *out) {
  const int64_t id = page->request.reverse_order ? run->last_id - place : run->first_id + place;
  struct annals_frame stored;
  struct annals_frame plain;
  if (!frame_at(page, run, place, &stored)) {
    return false;
  }
  if (stored.data_key == 0) {
    plain = stored;
  } else if (decrypt(page, id, &stored, &plain) != ANNALS_DECRYPTED) {
    return false;
  }
  if (page->format->encode != NULL) {
    return page->format->encode(page, &plain, out);
  }
  annals_buffer_append(out, plain.bytes, plain.size);
  return !out->failed;
}

/* Makes the form of all of a run. NULL: it cannot be, or is more than a page has room for; what is
 * wrong is for those who take the events one by one. */
static struct annals_form *make_form(struct annals_page *page, const struct annals_run *run) {
  const struct annals_form *stored = run->shared->stored;
  const char *separator = page->format->separator != NULL ? page->format->separator : "";
  g_autofree uint32_t *ends = g_new(uint32_t, stored->count);
  struct annals_buffer bytes;
  annals_buffer_init(&bytes, annals_history_options(page->history)->page_bytes_max);
  (void)!annals_buffer_reserve(&bytes, MIN(stored->size, bytes.max));
  bool ok = true;
  for (guint i = 0; ok && i < stored->count; i++) {
    if (i > 0) {
      annals_buffer_append_text(&bytes, separator);
    }
    ok = encode_at(page, run, i, &bytes);
    ends[i] = (uint32_t)bytes.len;
  }
  struct annals_form *form =
      ok ? annals_form_new(bytes.data, bytes.len, ends, stored->count, (guint)strlen(separator))
         : NULL;
  annals_buffer_clear(&bytes);
  return form;
}

/* Tells until when what is made of a run for the page may be kept: of g_get_monotonic_time(). 0:
 * not at all. */
static int64_t keep_until_us(const struct annals_page *page, const struct annals_run *run) {
  const int64_t data_key = run->shared->data_key;
  if (data_key == 0 || !page->request.include_execution_data) {
    return INT64_MAX;
  }
  if (data_key == ANNALS_SEVERAL_DATA_KEYS) {
    return 0;
  }
  const int64_t now_us = g_get_monotonic_time();
  const int64_t left_us = annals_decryptor_left_us(&page->decryptor, data_key);
  return left_us > 0 ? now_us + left_us : 0;
}

/* Gives the run's form for such pages, made if it is worth that, or NULL. */
static struct annals_form *find_or_make_form(struct annals_page *page,
                                             const struct annals_run *run) {
  struct annals_shared_frames *shared = run->shared;
  const guint number = form_number(page);
  struct annals_form *form = annals_shared_frames_find(shared, number);
  if (form != NULL || page->again ||
      !annals_shared_frames_wants(shared, number, shared->stored->size)) {
    return form;
  }
  form = make_form(page, run);
  if (form == NULL) {
    annals_shared_frames_give_up(shared, number); /* or each page would try, all of the run */
    return NULL;
  }
  form->until_us = keep_until_us(page, run); /* that of now: the key may have been forgotten */
  annals_shared_frames_keep(shared, number, form);
  return form;
}

/* Gives the form to take the page's events of the run from. NULL: they are taken one by one. */
static struct annals_form *form_for(struct annals_page *page, const struct annals_run *run) {
  const struct annals_shared_frames *shared = run->shared;
  if (shared == NULL || run->frames_bytes != shared->stored->size ||
      run->last_id - run->first_id + 1 != shared->stored->count) {
    return NULL; /* it is not kept, or not all of it is handed over, or it is damaged */
  }
  if (shared->data_key == 0 && page->format->encode == NULL && !page->request.reverse_order) {
    return annals_form_ref(shared->stored);
  }
  return keep_until_us(page, run) > 0 ? find_or_make_form(page, run) : NULL;
}

/* Tells whether the page takes all events of a form from that place on. */
static bool fits_to_end(struct annals_page *page, const struct annals_run *run,
                        const struct annals_form *form, guint first) {
  const struct annals_history_options *options = annals_history_options(page->history);
  const struct annals_form *stored = run->shared->stored;
  const size_t scanned =
      page->scanned_bytes + (page->request.reverse_order
                                 ? stored->ends[stored->count - 1 - first]
                                 : stored->size - annals_form_start(stored, first));
  if (page->event_count + (int64_t)(form->count - first) > max_results_of(page) ||
      scanned > options->page_scan_bytes_max ||
      !has_room(page, strlen(lead_of(page)) + form->size - annals_form_start(form, first))) {
    return false;
  }
  page->scanned_bytes = scanned;
  return true;
}

/* Tells how many events of a form the page takes, from that place on: as many as it would one by
 * one. */
static guint count_fitting(struct annals_page *page, const struct annals_run *run,
                           const struct annals_form *form, guint first) {
  const struct annals_form *stored = run->shared->stored;
  const bool reverse = page->request.reverse_order;
  const size_t lead = strlen(lead_of(page));
  const size_t start = annals_form_start(form, first);
  guint count = 0;
  if (fits_to_end(page, run, form, first)) {
    return form->count - first;
  }
  for (; first + count < form->count; count++) {
    const guint place = first + count;
    const guint index = reverse ? stored->count - 1 - place : place;
    const int64_t taken = page->event_count + (int64_t)count;
    if (!may_look(page, taken, annals_form_event_size(stored, index)) ||
        (taken > 0 && !has_room(page, lead + form->ends[place] - start))) {
      break;
    }
  }
  return count;
}

/* The whole form is in memory as long as a client does not take its part, which is all that the
 * answer is counted for: so that is half of it at least. */
static bool can_share(const struct annals_page *page, const struct annals_form *form, size_t size) {
  return page->shares && size >= PART_BYTES_MIN && size >= form->size / 2 &&
         size <= page->events.max - page->events.cap;
}

static void share(struct annals_page *page, struct annals_form *form, size_t start, size_t size) {
  struct annals_page_part part = {annals_form_ref(form), start, size, page->events.len};
  if (page->parts == NULL) {
    page->parts = g_array_new(FALSE, FALSE, sizeof part);
  }
  g_array_append_val(page->parts, part);
  page->shared_bytes += size;
  page->events.max -= size; /* a page may have no more for its parts */
}

static bool copy(struct annals_page *page, const struct annals_run *run,
                 const struct annals_form *form, size_t start, size_t size) {
  make_room(page, run);
  append_lead(page);
  annals_buffer_append(&page->events, form->bytes + start, size);
  return has_grown(page);
}

/* Puts what the page takes of a form; returns whether more may follow. */
static bool take_form(struct annals_page *page, const struct annals_run *run,
                      struct annals_form *form) {
  const guint first = next_place(page, run);
  const guint count = count_fitting(page, run, form, first);
  page->more = count < form->count - first;
  if (count == 0) {
    return false;
  }
  struct annals_frame frame;
  if (page->next_id == 1 && !page->start_known && frame_at(page, run, first, &frame)) {
    note_start(page, &frame);
  }
  const size_t start = annals_form_start(form, first);
  const size_t size = form->ends[first + count - 1] - start;
  if (can_share(page, form, size)) {
    share(page, form, start, size);
  } else if (!copy(page, run, form, start, size)) {
    return false;
  }
  page->event_count += (int32_t)count;
  page->next_id += page->request.reverse_order ? -(int64_t)count : (int64_t)count;
  return !page->more && page->next_id > 0;
}

/* --- runs --- */

bool annals_page_take_run(struct annals_store_read *read, const struct annals_run *run) {
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
  struct annals_form *form = form_for(page, run);
  bool more = form != NULL ? take_form(page, run, form) : take_events(page, run);
  annals_form_unref(form);
  return more;
}

void annals_page_drop_events(struct annals_page *page) {
  annals_buffer_reset(&page->events);
  for (guint i = 0; page->parts != NULL && i < page->parts->len; i++) {
    annals_form_unref(g_array_index(page->parts, struct annals_page_part, i).form);
  }
  g_clear_pointer(&page->parts, g_array_unref);
  page->events.max += page->shared_bytes;
  page->shared_bytes = 0;
}
