/*
 * The events of a run in one form, as they are sent: one behind the other, and where each ends.
 *
 * Floor 1. It never changes; who has a reference may send any part of it as it stands. The count is
 * not GLib's, so that ThreadSanitizer sees who frees last.
 */
#ifndef ANNALS_STORAGE_FORM_H_
#define ANNALS_STORAGE_FORM_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

struct annals_form {
  gint refs;
  guint count;      /* of events, >= 1 */
  guint gap;        /* bytes between two */
  int64_t until_us; /* of g_get_monotonic_time(): may be kept until then; INT64_MAX: for good */
  size_t size;
  uint8_t *bytes;
  uint32_t ends[]; /* where each event ends in bytes, in the order of the form */
};

/*
 * Makes a form that may be kept for good, until the caller says less.
 *
 * ends: count offsets, the last of which is size. Memory: copied; NULL when memory runs out.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_form *annals_form_new(const uint8_t *bytes, size_t size, const uint32_t *ends,
                                    guint count, guint gap);

/* Threads: any. */
struct annals_form *annals_form_ref(struct annals_form *form);
/* NULL is fine. */
void annals_form_unref(struct annals_form *form);

/* Tells where an event begins in the form's bytes. */
static inline size_t annals_form_start(const struct annals_form *form, guint index) {
  return index == 0 ? 0 : (size_t)form->ends[index - 1] + form->gap;
}

/* Tells how long an event is. */
static inline size_t annals_form_event_size(const struct annals_form *form, guint index) {
  return form->ends[index] - annals_form_start(form, index);
}

/* The bytes of memory that it takes, about. */
static inline size_t annals_form_memory(const struct annals_form *form) {
  return sizeof *form + form->count * sizeof form->ends[0] + form->size;
}

G_END_DECLS

#endif
