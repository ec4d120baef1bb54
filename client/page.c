#include <string.h>

#include "annals/v1/history_service.pb-c.h"
#include "client/annals.h"
#include "client/call.h"
#include "client/error.h"
#include "proto/wire.h"

/* Field numbers of GetExecutionHistoryResponse. */
enum { EVENTS = 1, NEXT_TOKEN = 2 };

struct annals_client_page {
  struct annals_buffer bytes;          /* the whole answer */
  GArray *events;                      /* struct annals_client_event into bytes */
  Annals__V1__HistoryEvent **unpacked; /* as many; NULL until asked for */
  char *next_token;
};

void annals_client_page_free(struct annals_client_page *page) {
  if (page == NULL) {
    return;
  }
  for (size_t i = 0; page->unpacked != NULL && i < page->events->len; i++) {
    annals__v1__history_event__free_unpacked(page->unpacked[i], NULL);
  }
  g_free(page->unpacked);
  g_array_unref(page->events);
  g_free(page->next_token);
  annals_buffer_clear(&page->bytes);
  g_free(page);
}

static struct annals_client_page *page_new(void) {
  struct annals_client_page *page = g_new0(struct annals_client_page, 1);
  annals_buffer_init(&page->bytes, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  page->events = g_array_new(FALSE, FALSE, sizeof(struct annals_client_event));
  page->next_token = g_strdup("");
  return page;
}

/* Fields that this client does not know are passed over, as protobuf has it. */
static bool page_parse(struct annals_client_page *page, GError **error) {
  struct annals_wire_reader reader = {page->bytes.data, page->bytes.data};
  if (page->bytes.len > 0) {
    reader.end += page->bytes.len;
  }
  struct annals_wire_field field;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &field)) == ANNALS_WIRE_FIELD) {
    if (field.type != ANNALS_WIRE_BYTES) {
      continue;
    }
    if (field.number == EVENTS) {
      struct annals_client_event event = {field.bytes, field.size};
      g_array_append_val(page->events, event);
    } else if (field.number == NEXT_TOKEN) {
      g_free(page->next_token);
      page->next_token = g_strndup((const char *)field.bytes, field.size);
    }
  }
  if (result == ANNALS_WIRE_MALFORMED) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                            "the server's answer is not a GetExecutionHistoryResponse");
    return false;
  }
  return true;
}

static void append_request(struct annals_buffer *out,
                           const struct annals_client_page_request *request) {
  Annals__V1__GetExecutionHistoryRequest message = ANNALS__V1__GET_EXECUTION_HISTORY_REQUEST__INIT;
  Google__Protobuf__BoolValue include = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;
  /* protobuf-c has no const; packing only reads. */
  message.execution_arn = (char *)(request->execution_arn != NULL ? request->execution_arn : "");
  message.max_results = request->max_results;
  message.next_token = (char *)(request->next_token != NULL ? request->next_token : "");
  message.reverse_order = request->reverse_order;
  message.include_execution_data = request->without_execution_data ? &include : NULL;
  size_t size = annals__v1__get_execution_history_request__get_packed_size(&message);
  uint8_t *to = annals_buffer_reserve(out, size);
  if (to != NULL) {
    out->len += annals__v1__get_execution_history_request__pack(&message, to);
  }
}

bool annals_client_read_page(struct annals_client *client,
                             const struct annals_client_page_request *request,
                             struct annals_client_page **ret_page, GError **error) {
  struct annals_client_page *page = page_new();
  struct annals_buffer bytes;
  annals_buffer_init(&bytes, ANNALS_CLIENT_REQUEST_BYTES_MAX);
  append_request(&bytes, request);
  bool ok = false;
  if (bytes.failed) {
    annals_client_error_set(error, ANNALS_CLIENT_INVALID_ARGUMENT, "INVALID_REQUEST",
                            "the request is over %d bytes", (int)ANNALS_CLIENT_REQUEST_BYTES_MAX);
    goto out;
  }
  if (annals_client_call(client, "/annals.v1.HistoryService/GetExecutionHistory", &bytes,
                         &page->bytes, error) &&
      page_parse(page, error)) {
    *ret_page = g_steal_pointer(&page);
    ok = true;
  }
out:
  annals_buffer_clear(&bytes);
  annals_client_page_free(page);
  return ok;
}

size_t annals_client_page_event_count(const struct annals_client_page *page) {
  return page->events->len;
}

struct annals_client_event annals_client_page_event_bytes(const struct annals_client_page *page,
                                                          size_t index) {
  g_assert(index < page->events->len);
  return g_array_index(page->events, struct annals_client_event, index);
}

const Annals__V1__HistoryEvent *annals_client_page_event(struct annals_client_page *page,
                                                         size_t index, GError **error) {
  struct annals_client_event bytes = annals_client_page_event_bytes(page, index);
  if (page->unpacked == NULL) {
    page->unpacked = g_new0(Annals__V1__HistoryEvent *, page->events->len);
  }
  if (page->unpacked[index] == NULL) {
    page->unpacked[index] = annals__v1__history_event__unpack(NULL, bytes.size, bytes.data);
  }
  if (page->unpacked[index] == NULL) {
    annals_client_error_set(error, ANNALS_CLIENT_INTERNAL, "",
                            "the server's answer holds something that is not a HistoryEvent");
  }
  return page->unpacked[index];
}

const char *annals_client_page_next_token(const struct annals_client_page *page) {
  return page->next_token;
}
