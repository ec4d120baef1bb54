/*
 * The frames of a run in memory that several hold at once, and what readers have made of them.
 *
 * Floor 1. They never change. What a reader has made of them, to send them in another form, may be
 * kept with them for the next one, where their keeper has room. Which form has which number is the
 * readers' matter.
 */
#ifndef ANNALS_STORAGE_SHARED_FRAMES_H_
#define ANNALS_STORAGE_SHARED_FRAMES_H_

#include "storage/form.h"

G_BEGIN_DECLS

/* The numbers of forms are below. */
enum { ANNALS_FORMS = 8 };

/* What annals_shared_frames.data_key says of frames with several. */
enum { ANNALS_SEVERAL_DATA_KEYS = -1 };

struct annals_shared_frames;

/* Who answers for the memory. Threads: any. */
struct annals_shared_keeper {
  /* Gives a reference to what is kept, or NULL. */
  struct annals_form *(*find)(struct annals_shared_keeper *keeper,
                              struct annals_shared_frames *frames, guint number);
  /* Tells whether so many bytes more are worth a place. */
  bool (*admits)(struct annals_shared_keeper *keeper, size_t size);
  /* Keeps a form, unless the frames have left or have it already. */
  void (*keep)(struct annals_shared_keeper *keeper, struct annals_shared_frames *frames,
               guint number, struct annals_form *form);
};

struct annals_shared_frames {
  gint refs;
  int64_t data_key; /* the ordinal of the one that encrypted frames have; 0: none is encrypted */
  struct annals_form *stored;          /* whole frames (frame.h), in ascending order */
  struct annals_shared_keeper *keeper; /* outlives all use but references; NULL: nothing is kept */
  void *place;                         /* the keeper's; NULL: they have left */
  struct annals_form **forms;          /* the keeper's: ANNALS_FORMS of them; NULL: there is none */
  guint read_once;                     /* atomic: the forms that were asked for, as bits */
  guint given_up;                      /* atomic: those that cannot be made */
};

/* Copies whole frames, one at least. Returns NULL when they are none or memory runs out. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_shared_frames *annals_shared_frames_copy(const uint8_t *frames, size_t size);

/* Gives what is kept, or NULL. Memory: the caller unrefs it. Threads: any. */
G_GNUC_WARN_UNUSED_RESULT
struct annals_form *annals_shared_frames_find(struct annals_shared_frames *frames, guint number);

/*
 * Tells whether to make a form that is not there, of about so many bytes, and keep it: at the
 * second time, as many are read once and no more. Threads: any.
 */
bool annals_shared_frames_wants(struct annals_shared_frames *frames, guint number, size_t size);

/* Says that a form cannot be made, so that nobody wants it any more. Threads: any. */
void annals_shared_frames_give_up(struct annals_shared_frames *frames, guint number);

/* Has a form kept, if that is possible still. Threads: any. */
void annals_shared_frames_keep(struct annals_shared_frames *frames, guint number,
                               struct annals_form *form);

/* Lets go of the forms that are kept. Threads: the keeper's lock. */
void annals_shared_frames_drop_forms(struct annals_shared_frames *frames);

/* Threads: any. */
struct annals_shared_frames *annals_shared_frames_ref(struct annals_shared_frames *frames);
/* NULL is fine. */
void annals_shared_frames_unref(struct annals_shared_frames *frames);

G_END_DECLS

#endif
