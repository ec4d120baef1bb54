/*
 * Frames in memory that several hold at once: who has a reference may send them as they stand.
 *
 * Floor 1. They never change. The count is not GLib's, so that ThreadSanitizer sees who frees last.
 */
#ifndef ANNALS_STORAGE_SHARED_FRAMES_H_
#define ANNALS_STORAGE_SHARED_FRAMES_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_shared_frames {
  gint refs;
  bool plain; /* none of them is encrypted */
  size_t size;
  uint8_t bytes[]; /* whole frames (frame.h) */
};

/* Copies whole frames. Returns NULL when memory runs out. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_shared_frames *annals_shared_frames_copy(const uint8_t *frames, size_t size);

/* Threads: any. */
struct annals_shared_frames *annals_shared_frames_ref(struct annals_shared_frames *frames);
/* NULL is fine. */
void annals_shared_frames_unref(struct annals_shared_frames *frames);

G_END_DECLS

#endif
