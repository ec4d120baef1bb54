/* Any bytes as an event: canonical form is a fixed point, and JSON and filter take it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws_json.h"
#include "proto/canonical.h"
#include "proto/execution_data.h"

enum { BUFFER_BYTES_MAX = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds) {
    abort();
  }
}

/* A type that exists, so that JSON can be written. */
static void check_json(const struct annals_schema *schema, const struct annals_buffer *event,
                       const struct annals_event_head *head) {
  struct annals_buffer json;
  annals_buffer_init(&json, BUFFER_BYTES_MAX);
  bool ok = annals_aws_json_append_event(schema, event->data, event->len, true, &json);
  must(ok == (annals_schema_type(schema, head->type) != NULL) || json.failed);
  annals_buffer_clear(&json);
}

static void check_strip(const struct annals_schema *schema, const struct annals_buffer *event) {
  struct annals_buffer stripped;
  struct annals_buffer again;
  struct annals_event_head head;
  struct annals_event_fault fault;
  annals_buffer_init(&stripped, BUFFER_BYTES_MAX);
  annals_buffer_init(&again, BUFFER_BYTES_MAX);
  must(annals_execution_data_strip(schema, event->data, event->len, &stripped));
  must(annals_canonical_append(schema, stripped.data, stripped.len, &again, &head, &fault));
  must(again.len == stripped.len &&
       (again.len == 0 || memcmp(again.data, stripped.data, again.len) == 0));
  annals_buffer_clear(&stripped);
  annals_buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct annals_schema *schema;
  if (schema == NULL) {
    schema = annals_schema_new();
  }
  struct annals_buffer once;
  struct annals_buffer twice;
  struct annals_event_head head;
  struct annals_event_fault fault;
  annals_buffer_init(&once, BUFFER_BYTES_MAX);
  annals_buffer_init(&twice, BUFFER_BYTES_MAX);
  if (annals_canonical_append(schema, data, size, &once, &head, &fault)) {
    must(annals_canonical_append(schema, once.data, once.len, &twice, &head, &fault));
    must(once.len == twice.len && (once.len == 0 || memcmp(once.data, twice.data, once.len) == 0));
    check_json(schema, &once, &head);
    check_strip(schema, &once);
  }
  annals_buffer_clear(&once);
  annals_buffer_clear(&twice);
  return 0;
}
