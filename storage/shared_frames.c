#include "storage/shared_frames.h"

#include <string.h>

#include "storage/frame.h"

static bool are_plain(const uint8_t *bytes, size_t size) {
  size_t offset = 0;
  struct annals_frame frame;
  while (annals_frame_next(bytes, size, &offset, &frame)) {
    if (frame.data_key != 0) {
      return false;
    }
  }
  return true;
}

struct annals_shared_frames *annals_shared_frames_copy(const uint8_t *frames, size_t size) {
  struct annals_shared_frames *copy =
      g_try_malloc(offsetof(struct annals_shared_frames, bytes) + size);
  if (copy == NULL) {
    return NULL;
  }
  /* Atomic, like all that follow: who frees last may have come by it in ways that ThreadSanitizer
   * does not see. */
  g_atomic_int_set(&copy->refs, 1);
  copy->plain = are_plain(frames, size);
  copy->keeper = NULL;
  copy->kept = false;
  g_atomic_int_set(&copy->encodings, 0);
  g_atomic_pointer_set(&copy->encoded, NULL);
  copy->size = size;
  memcpy(copy->bytes, frames, size);
  return copy;
}

struct annals_shared_frames *annals_shared_frames_ref(struct annals_shared_frames *frames) {
  g_atomic_int_inc(&frames->refs);
  return frames;
}

void annals_shared_frames_unref(struct annals_shared_frames *frames) {
  if (frames != NULL && g_atomic_int_dec_and_test(&frames->refs)) {
    g_free(g_atomic_pointer_get(&frames->encoded));
    g_free(frames);
  }
}

const struct annals_encoded *annals_shared_frames_encoded(
    const struct annals_shared_frames *frames) {
  return g_atomic_pointer_get(&frames->encoded);
}

void annals_shared_frames_keep_encoded(struct annals_shared_frames *frames, const uint8_t *bytes,
                                       size_t size) {
  struct annals_shared_keeper *keeper = frames->keeper;
  if (g_atomic_int_add(&frames->encodings, 1) == 0 || keeper == NULL ||
      annals_shared_frames_encoded(frames) != NULL || !keeper->admits(keeper, size)) {
    return;
  }
  struct annals_encoded *encoded = g_try_malloc(offsetof(struct annals_encoded, bytes) + size);
  if (encoded == NULL) {
    return;
  }
  encoded->size = size;
  memcpy(encoded->bytes, bytes, size);
  if (!keeper->keep(keeper, frames, encoded)) {
    g_free(encoded);
  }
}
