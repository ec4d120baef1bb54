#include "server/rpc/page_reply.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include "server/history/error.h"
#include "server/rpc/call_internal.h"

static void unref_form(void *form) {
  annals_form_unref(form);
}

static grpc_slice slice_of(const struct annals_page_part *part) {
  struct annals_form *form = annals_form_ref(part->form);
  return grpc_slice_new_with_user_data(form->bytes + part->start, part->size, unref_form, form);
}

/* Takes the events over and puts the parts in their places. */
static void put_slices(struct annals_rpc_call *call, struct annals_page *page) {
  const GArray *parts = page->parts;
  g_autofree grpc_slice *slices = g_new(grpc_slice, 2 * (gsize)parts->len + 1);
  size_t size = page->events.len;
  grpc_slice events = size > 0 ? annals_rpc_call_take_slice(&page->events) : grpc_empty_slice();
  size_t count = 0;
  size_t at = 0;
  for (guint i = 0; i < parts->len; i++) {
    const struct annals_page_part *part = &g_array_index(parts, struct annals_page_part, i);
    if (part->before > at) {
      slices[count++] = grpc_slice_sub(events, at, part->before);
      at = part->before;
    }
    slices[count++] = slice_of(part);
  }
  if (size > at) {
    slices[count++] = grpc_slice_sub(events, at, size);
  }
  grpc_slice_unref(events);
  call->message = grpc_raw_byte_buffer_create(slices, count);
  while (count > 0) {
    grpc_slice_unref(slices[--count]);
  }
}

void annals_rpc_page_reply(struct annals_rpc_call *call, struct annals_page *page) {
  if (page->parts == NULL) {
    annals_rpc_call_reply(call, &page->events);
    return;
  }
  g_autoptr(GError) error = NULL;
  if (page->events.failed ||
      !annals_rpc_call_hold_message(call, page->events.len + page->shared_bytes)) {
    error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for this answer");
  } else {
    put_slices(call, page);
  }
  annals_rpc_call_end(call, error);
}
