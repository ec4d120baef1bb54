#include "storage/shared_frames.h"

#include "storage/frame.h"

/* Makes the form of frames as they stand. */
static struct annals_form *form_of(const uint8_t *bytes, size_t size, int64_t *ret_data_key) {
  g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  size_t offset = 0;
  struct annals_frame frame;
  int64_t data_key = 0;
  while (annals_frame_next(bytes, size, &offset, &frame) && offset <= UINT32_MAX) {
    const uint32_t end = (uint32_t)offset;
    g_array_append_val(ends, end);
    if (frame.data_key != 0 && frame.data_key != data_key) {
      data_key = data_key == 0 ? frame.data_key : ANNALS_SEVERAL_DATA_KEYS;
    }
  }
  *ret_data_key = data_key;
  return offset == size && ends->len > 0
             ? annals_form_new(bytes, size, (const uint32_t *)(void *)ends->data, ends->len, 0)
             : NULL;
}

struct annals_shared_frames *annals_shared_frames_copy(const uint8_t *frames, size_t size) {
  int64_t data_key;
  struct annals_form *stored = form_of(frames, size, &data_key);
  if (stored == NULL) {
    return NULL;
  }
  struct annals_shared_frames *copy = g_new0(struct annals_shared_frames, 1);
  g_atomic_int_set(&copy->refs, 1);
  g_atomic_int_set(&copy->read_once, 0);
  g_atomic_int_set(&copy->given_up, 0);
  copy->data_key = data_key;
  copy->stored = stored;
  return copy;
}

struct annals_shared_frames *annals_shared_frames_ref(struct annals_shared_frames *frames) {
  g_atomic_int_inc(&frames->refs);
  return frames;
}

void annals_shared_frames_unref(struct annals_shared_frames *frames) {
  if (frames != NULL && g_atomic_int_dec_and_test(&frames->refs)) {
    annals_shared_frames_drop_forms(frames);
    annals_form_unref(frames->stored);
    g_free(frames);
  }
}

struct annals_form *annals_shared_frames_find(struct annals_shared_frames *frames, guint number) {
  struct annals_shared_keeper *keeper = frames->keeper;
  return keeper != NULL ? keeper->find(keeper, frames, number) : NULL;
}

bool annals_shared_frames_wants(struct annals_shared_frames *frames, guint number, size_t size) {
  const guint bit = 1U << number;
  struct annals_shared_keeper *keeper = frames->keeper;
  return keeper != NULL && (g_atomic_int_or(&frames->read_once, bit) & bit) != 0 &&
         ((guint)g_atomic_int_get(&frames->given_up) & bit) == 0 && keeper->admits(keeper, size);
}

void annals_shared_frames_give_up(struct annals_shared_frames *frames, guint number) {
  g_atomic_int_or(&frames->given_up, 1U << number);
}

void annals_shared_frames_keep(struct annals_shared_frames *frames, guint number,
                               struct annals_form *form) {
  struct annals_shared_keeper *keeper = frames->keeper;
  if (keeper != NULL) {
    keeper->keep(keeper, frames, number, form);
  }
}

void annals_shared_frames_drop_forms(struct annals_shared_frames *frames) {
  for (guint i = 0; frames->forms != NULL && i < ANNALS_FORMS; i++) {
    annals_form_unref(frames->forms[i]);
  }
  g_clear_pointer(&frames->forms, g_free);
}
