#include "storage/rocksdb/tail.h"

/* What GBytes and malloc add to the bytes of a run. */
enum { GBYTES_OVERHEAD_BYTES = 80 };

static void open_run_clear(gpointer data) {
  struct annals_open_run *run = data;
  g_bytes_unref(run->frames);
}

static void init_open(struct annals_tail *tail) {
  tail->open = g_array_new(FALSE, FALSE, sizeof(struct annals_open_run));
  g_array_set_clear_func(tail->open, open_run_clear);
}

void annals_tail_init(struct annals_tail *tail) {
  *tail = (struct annals_tail){0};
  init_open(tail);
}

void annals_tail_clear(struct annals_tail *tail) {
  g_clear_pointer(&tail->open, g_array_unref);
  g_clear_pointer(&tail->last_event, g_bytes_unref);
}

void annals_tail_add_open(struct annals_tail *tail, int64_t first_id, int64_t last_id,
                          GBytes *frames) {
  struct annals_open_run run = {.first_id = first_id, .last_id = last_id, .frames = frames};
  g_array_append_val(tail->open, run);
}

void annals_tail_drop_open(struct annals_tail *tail) {
  g_array_set_size(tail->open, 0);
}

size_t annals_tail_bytes(const struct annals_tail *tail) {
  size_t last_event_bytes = tail->last_event != NULL ? g_bytes_get_size(tail->last_event) : 0;
  size_t run_bytes = sizeof(struct annals_open_run) + GBYTES_OVERHEAD_BYTES;
  return tail->open_bytes + last_event_bytes + GBYTES_OVERHEAD_BYTES + tail->open->len * run_bytes;
}

void annals_tail_draft_init(struct annals_tail_draft *draft, const struct annals_tail *tail) {
  draft->sealed = false;
  draft->changed = false;
  draft->next = (struct annals_tail){
      .last_id = tail->last_id,
      .sealed_id = tail->sealed_id,
      .open_bytes = tail->open_bytes,
  };
  init_open(&draft->next);
}

void annals_tail_draft_clear(struct annals_tail_draft *draft) {
  annals_tail_clear(&draft->next);
}

void annals_tail_draft_delete(struct annals_tail_draft *draft) {
  annals_tail_clear(&draft->next);
  annals_tail_init(&draft->next);
  draft->changed = true;
  /* What was open is gone as if it were sealed. */
  draft->sealed = true;
}

void annals_tail_commit(struct annals_tail *tail, struct annals_tail_draft *draft) {
  struct annals_tail *next = &draft->next;
  if (draft->sealed) {
    annals_tail_drop_open(tail);
  }
  if (next->open->len > 0) {
    g_array_append_vals(tail->open, next->open->data, next->open->len);
    /* The references have moved: no clear function for them here. */
    g_array_set_clear_func(next->open, NULL);
  }
  tail->last_id = next->last_id;
  tail->sealed_id = next->sealed_id;
  tail->open_bytes = next->open_bytes;
  if (next->last_event != NULL || next->last_id == 0) {
    g_clear_pointer(&tail->last_event, g_bytes_unref);
    tail->last_event = g_steal_pointer(&next->last_event);
  }
  annals_tail_draft_clear(draft);
}
