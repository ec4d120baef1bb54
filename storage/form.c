#include "storage/form.h"

#include <string.h>

struct annals_form *annals_form_new(const uint8_t *bytes, size_t size, const uint32_t *ends,
                                    guint count, guint gap) {
  g_assert(count > 0 && ends[count - 1] == size);
  const size_t ends_bytes = count * sizeof ends[0];
  struct annals_form *form = g_try_malloc(sizeof *form + ends_bytes + size);
  if (form == NULL) {
    return NULL;
  }
  /* Atomic, like all that follow: who frees last may have come by it in ways that ThreadSanitizer
   * does not see. */
  g_atomic_int_set(&form->refs, 1);
  form->count = count;
  form->gap = gap;
  form->until_us = INT64_MAX;
  form->size = size;
  form->bytes = (uint8_t *)(form->ends + count);
  memcpy(form->ends, ends, ends_bytes);
  memcpy(form->bytes, bytes, size);
  return form;
}

struct annals_form *annals_form_ref(struct annals_form *form) {
  g_atomic_int_inc(&form->refs);
  return form;
}

void annals_form_unref(struct annals_form *form) {
  if (form != NULL && g_atomic_int_dec_and_test(&form->refs)) {
    g_free(form);
  }
}
