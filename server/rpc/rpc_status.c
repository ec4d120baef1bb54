#include "server/rpc/rpc_status.h"

#include <string.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/history/error.h"

enum { DETAILS_MAX = 4, ITEMS_MAX = 8 };

static const char error_domain[] = "annals.v1";

/* Cuts text to at most max bytes, between characters. */
static char *clip(const char *text, size_t max) {
  size_t size = strlen(text);
  if (size <= max) {
    return g_strdup(text);
  }
  while (max > 0 && ((uint8_t)text[max] & 0xc0) == 0x80) {
    max--;
  }
  return g_strndup(text, max);
}

char *annals_rpc_status_message(const GError *error) {
  return clip(error->message, ANNALS_RPC_MESSAGE_BYTES_MAX);
}

/* Packs a message into an Any. Its value is freed by clear_any. */
static void pack_any(Google__Protobuf__Any *any, char *type_url, const ProtobufCMessage *message) {
  google__protobuf__any__init(any);
  any->type_url = type_url;
  any->value.data = g_malloc(protobuf_c_message_get_packed_size(message));
  any->value.len = protobuf_c_message_pack(message, any->value.data);
}

static void pack_error_info(Google__Protobuf__Any *any, const GError *error, size_t items_max) {
  static char type_url[] = "type.googleapis.com/google.rpc.ErrorInfo";
  const GPtrArray *metadata = annals_error_metadata(error);
  Google__Rpc__ErrorInfo__MetadataEntry entries[ITEMS_MAX];
  Google__Rpc__ErrorInfo__MetadataEntry *list[ITEMS_MAX];
  size_t count = MIN(metadata->len / 2, items_max);
  for (size_t i = 0; i < count; i++) {
    google__rpc__error_info__metadata_entry__init(&entries[i]);
    entries[i].key = clip(metadata->pdata[2 * i], ANNALS_RPC_DETAIL_BYTES_MAX);
    entries[i].value = clip(metadata->pdata[2 * i + 1], ANNALS_RPC_DETAIL_BYTES_MAX);
    list[i] = &entries[i];
  }
  Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
  info.reason = (char *)annals_reason_info(annals_error_reason(error))->name;
  info.domain = (char *)error_domain;
  info.n_metadata = count;
  info.metadata = list;
  pack_any(any, type_url, &info.base);
  for (size_t i = 0; i < count; i++) {
    g_free(entries[i].key);
    g_free(entries[i].value);
  }
}

static void pack_request_info(Google__Protobuf__Any *any, const char *request_id) {
  static char type_url[] = "type.googleapis.com/google.rpc.RequestInfo";
  Google__Rpc__RequestInfo info = GOOGLE__RPC__REQUEST_INFO__INIT;
  info.request_id = (char *)request_id;
  pack_any(any, type_url, &info.base);
}

static void pack_bad_request(Google__Protobuf__Any *any, const GPtrArray *violations,
                             size_t items_max) {
  static char type_url[] = "type.googleapis.com/google.rpc.BadRequest";
  Google__Rpc__BadRequest__FieldViolation fields[ITEMS_MAX];
  Google__Rpc__BadRequest__FieldViolation *list[ITEMS_MAX];
  size_t count = MIN(violations->len, items_max);
  for (size_t i = 0; i < count; i++) {
    const struct annals_violation *violation = violations->pdata[i];
    google__rpc__bad_request__field_violation__init(&fields[i]);
    fields[i].field = clip(violation->field, ANNALS_RPC_DETAIL_BYTES_MAX);
    fields[i].description = clip(violation->constraint, ANNALS_RPC_DETAIL_BYTES_MAX);
    list[i] = &fields[i];
  }
  Google__Rpc__BadRequest request = GOOGLE__RPC__BAD_REQUEST__INIT;
  request.n_field_violations = count;
  request.field_violations = list;
  pack_any(any, type_url, &request.base);
  for (size_t i = 0; i < count; i++) {
    g_free(fields[i].field);
    g_free(fields[i].description);
  }
}

static void pack_retry_info(Google__Protobuf__Any *any, int retry_ms) {
  static char type_url[] = "type.googleapis.com/google.rpc.RetryInfo";
  Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
  delay.seconds = retry_ms / 1000;
  delay.nanos = retry_ms % 1000 * 1000000;
  Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
  info.retry_delay = &delay;
  pack_any(any, type_url, &info.base);
}

/* Packs everything, with items_max metadata and as many violations at most. */
static uint8_t *pack_status(const GError *error, const char *request_id, size_t items_max,
                            size_t *ret_size) {
  const struct annals_reason_info *reason = annals_reason_info(annals_error_reason(error));
  const GPtrArray *violations = annals_error_violations(error);
  Google__Protobuf__Any details[DETAILS_MAX];
  Google__Protobuf__Any *list[DETAILS_MAX];
  size_t count = 0;
  pack_error_info(&details[count++], error, items_max);
  pack_request_info(&details[count++], request_id);
  if (violations->len > 0) {
    pack_bad_request(&details[count++], violations, items_max);
  }
  if (annals_error_retry_ms(error) >= 0) {
    pack_retry_info(&details[count++], annals_error_retry_ms(error));
  }
  for (size_t i = 0; i < count; i++) {
    list[i] = &details[i];
  }
  g_autofree char *message = annals_rpc_status_message(error);
  Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
  status.code = reason->grpc_code;
  status.message = message;
  status.n_details = count;
  status.details = list;
  uint8_t *bytes = g_malloc(google__rpc__status__get_packed_size(&status));
  *ret_size = google__rpc__status__pack(&status, bytes);
  for (size_t i = 0; i < count; i++) {
    g_free(details[i].value.data);
  }
  return bytes;
}

uint8_t *annals_rpc_status_details(const GError *error, const char *request_id, size_t *ret_size) {
  for (size_t items_max = ITEMS_MAX;; items_max /= 2) {
    uint8_t *bytes = pack_status(error, request_id, items_max, ret_size);
    if (*ret_size <= ANNALS_RPC_DETAILS_BYTES_MAX) {
      return bytes;
    }
    g_free(bytes);
    g_assert(items_max > 1); /* one of each, clipped, fits */
  }
}
