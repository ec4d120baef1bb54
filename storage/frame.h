/*
 * How events stand in a run: each as a tag byte, its length as a base-128 varint, its bytes.
 *
 * Floor 1. The tag is that of a length-delimited field 1, so that a run is, byte for byte, a part
 * of the answer that carries it. What is in the bytes is nobody's business here.
 *
 * An event that is encrypted, or a part of it, has another tag, that of field 2, and before its
 * bytes the ordinal of the data key that it takes to read it, as a varint: who sends runs as they
 * are cannot take it for one that anybody may read, and who reads frames is told for nothing.
 */
#ifndef ANNALS_STORAGE_FRAME_H_
#define ANNALS_STORAGE_FRAME_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum { ANNALS_FRAME_TAG = 0x0a, ANNALS_FRAME_ENCRYPTED_TAG = 0x12 };

/* A view of one frame. */
struct annals_frame {
  const uint8_t *bytes; /* the whole frame, tag first */
  size_t size;
  const uint8_t *event; /* what it holds */
  size_t event_size;
  int64_t data_key; /* the ordinal, from 1, of the data key that it is encrypted with; 0: none */
};

/*
 * Takes the frame at *offset and moves *offset behind it. Returns false, leaving all as it was,
 * when no whole frame is there: at the end (*offset == size) or in damaged bytes.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_frame_next(const uint8_t *bytes, size_t size, size_t *offset,
                       struct annals_frame *ret_frame);

/* Counts the frames. Returns -1 when bytes are not frames from end to end. */
G_GNUC_WARN_UNUSED_RESULT
int64_t annals_frame_count(const uint8_t *bytes, size_t size);

G_END_DECLS

#endif
