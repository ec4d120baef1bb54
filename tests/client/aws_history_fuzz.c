/* Files of AWS JSON: whatever is accepted has ids without gaps, and can be written again. */
#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "client/aws_history.h"
#include "proto/aws_json.h"
#include "proto/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(const struct annals_schema *schema, struct annals_client_event event,
                        int64_t id) {
  struct annals_buffer out;
  struct annals_event_head head;
  struct annals_event_fault fault;
  annals_buffer_init(&out, 8 * ANNALS_CLIENT_EVENT_BYTES_MAX);
  g_assert(annals_aws_json_append_event(schema, event.data, event.size, true, &out));
  annals_buffer_reset(&out);
  g_assert(annals_canonical_append(schema, event.data, event.size, &out, &head, &fault));
  g_assert_cmpmem(out.data, out.len, event.data, event.size);
  g_assert(head.id == id);
  annals_buffer_clear(&out);
}

static int64_t id_of(const struct annals_schema *schema, struct annals_client_event event) {
  struct annals_event_head head;
  g_assert(annals_canonical_head(schema, event.data, event.size, &head));
  return head.id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct annals_schema *schema;
  if (schema == NULL) {
    schema = annals_schema_new();
  }
  GError *error = NULL;
  struct annals_aws_history *history =
      annals_aws_history_parse(schema, (const char *)data, size, &error);
  if (history == NULL) {
    g_assert(error != NULL && error->message[0] != '\0');
    g_error_free(error);
    return 0;
  }
  size_t count;
  const struct annals_client_event *events = annals_aws_history_events(history, &count);
  g_assert(count > 0);
  int64_t first = id_of(schema, events[0]);
  for (size_t i = 0; i < count; i++) {
    check_event(schema, events[i], first + (int64_t)i);
  }
  annals_aws_history_free(history);
  return 0;
}
