/* Reflection, versions 1 and 1alpha: the messages of the two differ in nothing but their package.
 */
#include <string.h>

#include "proto/wire.h"
#include "server/history/error.h"
#include "server/rpc/descriptors.h"
#include "server/rpc/methods.h"
#include "server/rpc/server_internal.h"
#include "server/rpc/standard_request.h"

/* Of ServerReflectionResponse and what it holds. */
enum {
  FIELD_VALID_HOST = 1,
  FIELD_ORIGINAL_REQUEST = 2,
  FIELD_FILES = 4,
  FIELD_FILES_DESCRIPTOR = 1,
  FIELD_EXTENSIONS = 5,
  FIELD_EXTENSIONS_TYPE = 1,
  FIELD_SERVICES = 6,
  FIELD_SERVICES_SERVICE = 1,
  FIELD_SERVICE_NAME = 1,
  FIELD_ERROR = 7,
  FIELD_ERROR_CODE = 1,
  FIELD_ERROR_MESSAGE = 2,
  RESPONSE_BYTES_MAX = 1024 * 1024,
};

static void append_text(struct annals_buffer *out, uint32_t number, const char *text) {
  annals_wire_append_bytes(out, number, text, strlen(text));
}

static void append_error(struct annals_buffer *out, enum annals_reason reason, const char *text,
                         const char *name) {
  size_t start = out->len;
  g_autofree char *message = g_strconcat(text, name, NULL);
  annals_wire_append_varint(out, FIELD_ERROR_CODE, (uint64_t)annals_reason_info(reason)->grpc_code);
  append_text(out, FIELD_ERROR_MESSAGE, message);
  annals_wire_wrap(out, start, FIELD_ERROR);
}

static void append_not_found(struct annals_buffer *out, const char *what, const char *name) {
  append_error(out, ANNALS_REASON_UNKNOWN_SERVICE, what, name);
}

/* file NULL: none declares what was asked for. */
static void append_files(const struct annals_rpc_descriptors *descriptors, const char *file,
                         const char *name, struct annals_buffer *out) {
  size_t start = out->len;
  if (file != NULL &&
      annals_rpc_descriptors_append(descriptors, file, FIELD_FILES_DESCRIPTOR, out)) {
    annals_wire_wrap(out, start, FIELD_FILES);
  } else {
    append_not_found(out, "not found: ", name);
  }
}

/* No message has any. */
static void append_extension_numbers(const struct annals_rpc_descriptors *descriptors,
                                     const char *type, struct annals_buffer *out) {
  size_t start = out->len;
  if (annals_rpc_descriptors_has_message(descriptors, type)) {
    append_text(out, FIELD_EXTENSIONS_TYPE, type);
    annals_wire_wrap(out, start, FIELD_EXTENSIONS);
  } else {
    append_not_found(out, "not found: ", type);
  }
}

static void append_services(const GPtrArray *services, struct annals_buffer *out) {
  size_t start = out->len;
  for (guint i = 0; i < services->len; i++) {
    size_t item = out->len;
    append_text(out, FIELD_SERVICE_NAME, services->pdata[i]);
    annals_wire_wrap(out, item, FIELD_SERVICES_SERVICE);
  }
  annals_wire_wrap(out, start, FIELD_SERVICES);
}

static void append_answer(struct annals_rpc_call *call,
                          const struct annals_rpc_reflection_request *request,
                          struct annals_buffer *out) {
  const struct annals_rpc_descriptors *descriptors = annals_rpc_server_descriptors(call->server);
  switch (request->question) {
    case ANNALS_RPC_REFLECTION_FILE:
      append_files(descriptors, request->name, request->name, out);
      return;
    case ANNALS_RPC_REFLECTION_SYMBOL:
      append_files(descriptors, annals_rpc_descriptors_file_of(descriptors, request->name),
                   request->name, out);
      return;
    case ANNALS_RPC_REFLECTION_EXTENSION:
      append_not_found(out, "no such extension of ", request->name);
      return;
    case ANNALS_RPC_REFLECTION_EXTENSION_NUMBERS:
      append_extension_numbers(descriptors, request->name, out);
      return;
    case ANNALS_RPC_REFLECTION_SERVICES:
      append_services(annals_rpc_server_services(call->server), out);
      return;
    case ANNALS_RPC_REFLECTION_NOTHING:
      append_error(out, ANNALS_REASON_INVALID_REQUEST, "nothing is asked for", "");
      return;
  }
}

static void answer(struct annals_rpc_call *call) {
  struct annals_rpc_reflection_request request;
  g_autoptr(GError) error = NULL;
  if (call->request == NULL) {
    annals_rpc_call_finish(call);
    return;
  }
  if (!annals_rpc_call_check_caller(call, &error)) {
    annals_rpc_call_fail(call, error);
    return;
  }
  if (annals_rpc_reflection_request_read(call->request, call->request_bytes, &request, &error)) {
    struct annals_buffer message;
    annals_buffer_init(&message, RESPONSE_BYTES_MAX);
    if (*request.host != '\0') {
      append_text(&message, FIELD_VALID_HOST, request.host);
    }
    annals_wire_append_bytes(&message, FIELD_ORIGINAL_REQUEST, call->request, call->request_bytes);
    append_answer(call, &request, &message);
    annals_rpc_call_send(call, &message);
  } else {
    annals_rpc_call_fail(call, error);
  }
  annals_rpc_reflection_request_clear(&request);
}

#define REFLECTION(version)                                                                \
  {                                                                                        \
    .path = "/grpc.reflection." version ".ServerReflection/ServerReflectionInfo",          \
    .kind = ANNALS_RPC_BIDI_STREAMING, .standard = true, .start = annals_rpc_call_receive, \
    .on_message = answer, .on_sent = annals_rpc_call_receive,                              \
  }

const struct annals_rpc_method annals_rpc_reflection_v1 = REFLECTION("v1");
const struct annals_rpc_method annals_rpc_reflection_v1alpha = REFLECTION("v1alpha");
