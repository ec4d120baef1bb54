/*
 * Frames in memory that several hold at once: who has a reference may send them as they stand.
 *
 * Floor 1. They never change. What a reader has made of them, to send them in another form, may be
 * kept with them for the next one, where their keeper has room. The count is not GLib's, so that
 * ThreadSanitizer sees who frees last.
 */
#ifndef ANNALS_STORAGE_SHARED_FRAMES_H_
#define ANNALS_STORAGE_SHARED_FRAMES_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Frames in another form. */
struct annals_encoded {
  size_t size;
  uint8_t bytes[];
};

struct annals_shared_frames;

/* Who answers for the memory. Threads: any. */
struct annals_shared_keeper {
  /* Tells whether so many bytes more are worth a place. */
  bool (*admits)(struct annals_shared_keeper *keeper, size_t size);
  /* Makes it frames->encoded, unless the frames have left or have one. */
  bool (*keep)(struct annals_shared_keeper *keeper, struct annals_shared_frames *frames,
               struct annals_encoded *encoded);
};

struct annals_shared_frames {
  gint refs;
  bool plain;                          /* none of them is encrypted */
  struct annals_shared_keeper *keeper; /* outlives all use but references; NULL: nothing is kept */
  bool kept;                           /* the keeper's */
  gint encodings;                      /* atomic: how often they were encoded */
  struct annals_encoded *encoded;      /* atomic; NULL: it is not kept */
  size_t size;
  uint8_t bytes[]; /* whole frames (frame.h) */
};

/* Copies whole frames. Returns NULL when memory runs out. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_shared_frames *annals_shared_frames_copy(const uint8_t *frames, size_t size);

/* Gives what is kept, as long as there is a reference, or NULL. Threads: any. */
const struct annals_encoded *annals_shared_frames_encoded(
    const struct annals_shared_frames *frames);

/*
 * Has the frames' other form kept, of which there is one; at the second time, as many are read once
 * and no more.
 *
 * Memory: copied. Threads: any.
 */
void annals_shared_frames_keep_encoded(struct annals_shared_frames *frames, const uint8_t *bytes,
                                       size_t size);

/* Threads: any. */
struct annals_shared_frames *annals_shared_frames_ref(struct annals_shared_frames *frames);
/* NULL is fine. */
void annals_shared_frames_unref(struct annals_shared_frames *frames);

G_END_DECLS

#endif
