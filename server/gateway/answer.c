#include "server/gateway/answer.h"

#include <string.h>

#include "proto/aws_json.h"
#include "server/history/error.h"

bool annals_answer_hold(struct annals_operation_run *run, struct annals_buffer *buffer,
                        size_t *held_bytes) {
  size_t more = buffer->cap - *held_bytes;
  if (more == 0) {
    return true;
  }
  if (!run->hold(run, more)) {
    buffer->failed = true;
    return false;
  }
  *held_bytes += more;
  return true;
}

void annals_answer_begin_item(struct annals_buffer *page, const char *opening, int32_t index) {
  if (index == 0) {
    annals_buffer_append_text(page, opening);
  } else {
    annals_buffer_append_byte(page, ',');
  }
}

void annals_answer_finish_page(struct annals_operation_run *run, struct annals_buffer *page,
                               const char *opening, int32_t item_count, const char *next_token) {
  if (item_count == 0) {
    annals_buffer_append_text(page, opening);
  }
  annals_buffer_append_byte(page, ']');
  if (next_token != NULL) {
    annals_buffer_append_text(page, ",\"nextToken\":");
    annals_aws_json_append_string(page, next_token, strlen(next_token));
  }
  annals_buffer_append_byte(page, '}');
  annals_answer_finish(run, page);
}

void annals_answer_finish(struct annals_operation_run *run, struct annals_buffer *text) {
  if (text->failed) {
    run->error = annals_error_new(ANNALS_REASON_OVERLOADED, "no memory for the answer");
    return;
  }
  run->answer = *text;
  annals_buffer_init(text, text->max);
}
