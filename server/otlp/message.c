#include "server/otlp/message.h"

#include <string.h>

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "server/ops/process_metrics.h"
#include "server/otlp/span.h"

typedef Opentelemetry__Proto__Common__V1__AnyValue AnyValue;
typedef Opentelemetry__Proto__Common__V1__InstrumentationScope Scope;
typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;
typedef Opentelemetry__Proto__Resource__V1__Resource Resource;
typedef Opentelemetry__Proto__Trace__V1__ResourceSpans ResourceSpans;
typedef Opentelemetry__Proto__Trace__V1__ScopeSpans ScopeSpans;
typedef Opentelemetry__Proto__Trace__V1__Span Span;
typedef Opentelemetry__Proto__Trace__V1__Status Status;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest Request;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse Response;

enum {
  ATTRIBUTES_MAX = 16,
  NS_PER_US = 1000,
  FLAG_SAMPLED = 1,
  FLAG_KNOWS_REMOTE = 1 << 8,
  FLAG_IS_REMOTE = 1 << 9,
};

/* One attribute with all it points to. */
struct attribute {
  KeyValue pair;
  AnyValue value;
};

/* One span with all it points to. */
struct span_message {
  Span span;
  Status status;
  char *own[2]; /* to be freed: the name, rpc.service */
  struct attribute attributes[ATTRIBUTES_MAX];
  KeyValue *pointers[ATTRIBUTES_MAX];
};

/* --- attributes --- */

static void init_attribute(struct attribute *attribute, const char *key) {
  opentelemetry__proto__common__v1__key_value__init(&attribute->pair);
  opentelemetry__proto__common__v1__any_value__init(&attribute->value);
  attribute->pair.key = (char *)key;
  attribute->pair.value = &attribute->value;
}

static void set_text(struct attribute *attribute, const char *key, const char *text) {
  init_attribute(attribute, key);
  attribute->value.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
  attribute->value.string_value = (char *)text;
}

static struct attribute *next_attribute(struct span_message *message) {
  g_assert(message->span.n_attributes < ATTRIBUTES_MAX);
  size_t i = message->span.n_attributes++;
  message->pointers[i] = &message->attributes[i].pair;
  return &message->attributes[i];
}

/* Leaves out what is not known. */
static void add_text(struct span_message *message, const char *key, const char *text) {
  if (text != NULL) {
    set_text(next_attribute(message), key, text);
  }
}

static void add_number(struct span_message *message, const char *key, int64_t number) {
  struct attribute *attribute = next_attribute(message);
  init_attribute(attribute, key);
  attribute->value.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
  attribute->value.int_value = number;
}

static void add_listener(struct span_message *message,
                         const struct annals_otlp_listener *listener) {
  if (listener->host != NULL) {
    add_text(message, "server.address", listener->host);
    add_number(message, "server.port", listener->port);
  }
}

/* --- a span --- */

/* A method is /SERVICE/METHOD. */
static void describe_grpc(struct span_message *message, const struct annals_span *span,
                          const struct annals_otlp_origin *origin) {
  const char *path = span->method;
  const char *slash = path == NULL ? NULL : strrchr(path, '/');
  add_text(message, "rpc.system", "grpc");
  if (slash != NULL && slash > path) {
    message->own[0] = g_strdup(path + 1);
    message->own[1] = g_strndup(path + 1, (gsize)(slash - path - 1));
    add_text(message, "rpc.service", message->own[1]);
    add_text(message, "rpc.method", slash + 1);
  }
  add_number(message, "rpc.grpc.status_code", span->status);
  add_listener(message, &origin->grpc);
  message->span.name = message->own[0] != NULL ? message->own[0] : (char *)"grpc";
}

/* Named as clients of AWS name their side of the call. */
static void describe_http(struct span_message *message, const struct annals_span *span,
                          const struct annals_otlp_origin *origin) {
  if (span->method != NULL) {
    message->own[0] = g_strconcat("SFN/", span->method, NULL);
    add_text(message, "rpc.system", "aws-api");
    add_text(message, "rpc.service", "SFN");
    add_text(message, "rpc.method", span->method);
  }
  add_text(message, "http.request.method", span->http_method);
  add_number(message, "http.response.status_code", span->status);
  add_text(message, "url.path", span->http_path);
  add_text(message, "url.scheme", origin->url_scheme);
  add_listener(message, &origin->gateway);
  message->span.name = message->own[0] != NULL ? message->own[0] : (char *)span->http_method;
}

static ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t size) {
  return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)bytes};
}

static void place(Span *ret_span, const struct annals_span *span) {
  static const uint8_t none[ANNALS_SPAN_ID_BYTES];
  const struct annals_trace *trace = &span->trace;
  bool has_parent = memcmp(trace->parent_id, none, sizeof none) != 0;
  ret_span->trace_id = bytes_of(trace->trace_id, sizeof trace->trace_id);
  ret_span->span_id = bytes_of(trace->span_id, sizeof trace->span_id);
  if (has_parent) {
    ret_span->parent_span_id = bytes_of(trace->parent_id, sizeof trace->parent_id);
  }
  ret_span->flags = (trace->sampled ? FLAG_SAMPLED : 0) | FLAG_KNOWS_REMOTE |
                    (has_parent && !span->is_part ? FLAG_IS_REMOTE : 0);
}

static void tell_status(struct span_message *message, const struct annals_span *span) {
  opentelemetry__proto__trace__v1__status__init(&message->status);
  if (annals_span_is_error(span)) {
    message->status.code = OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR;
    message->status.message = span->detail != NULL ? span->detail : message->status.message;
    message->span.status = &message->status;
  }
}

static void init_span(struct span_message *message, const struct annals_span *span,
                      const struct annals_otlp_origin *origin) {
  Span *out = &message->span;
  opentelemetry__proto__trace__v1__span__init(out);
  out->attributes = message->pointers;
  place(out, span);
  out->kind = span->is_part ? OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_INTERNAL
                            : OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_SERVER;
  out->start_time_unix_nano = (uint64_t)span->start_us * NS_PER_US;
  out->end_time_unix_nano = (uint64_t)span->end_us * NS_PER_US;
  if (span->is_http) {
    describe_http(message, span, origin);
  } else {
    describe_grpc(message, span, origin);
  }
  add_text(message, "error.type", span->reason);
  add_text(message, "enduser.id", span->principal);
  add_text(message, "annals.request_id", span->request_id);
  add_text(message, "annals.arn", span->arn);
  tell_status(message, span);
}

/* --- all of them --- */

static uint8_t *pack(const Request *request, size_t *ret_size) {
  *ret_size =
      opentelemetry__proto__collector__trace__v1__export_trace_service_request__get_packed_size(
          request);
  uint8_t *bytes = g_malloc(*ret_size);
  opentelemetry__proto__collector__trace__v1__export_trace_service_request__pack(request, bytes);
  return bytes;
}

static uint8_t *pack_scope(const struct annals_otlp_origin *origin, ScopeSpans *spans,
                           size_t *ret_size) {
  Request request;
  ResourceSpans resource_spans;
  ResourceSpans *resource_spans_list[] = {&resource_spans};
  Resource resource;
  guint count = origin->resource->len;
  g_autofree struct attribute *attributes = g_new0(struct attribute, count);
  g_autofree KeyValue **pointers = g_new0(KeyValue *, count);
  for (guint i = 0; i < count; i++) {
    const struct annals_pair *pair = &g_array_index(origin->resource, struct annals_pair, i);
    set_text(&attributes[i], pair->name, pair->value);
    pointers[i] = &attributes[i].pair;
  }
  opentelemetry__proto__resource__v1__resource__init(&resource);
  resource.n_attributes = count;
  resource.attributes = pointers;
  opentelemetry__proto__trace__v1__resource_spans__init(&resource_spans);
  resource_spans.resource = &resource;
  resource_spans.n_scope_spans = 1;
  resource_spans.scope_spans = &spans;
  opentelemetry__proto__collector__trace__v1__export_trace_service_request__init(&request);
  request.n_resource_spans = 1;
  request.resource_spans = resource_spans_list;
  return pack(&request, ret_size);
}

uint8_t *annals_otlp_message_pack(const struct annals_otlp_origin *origin, const GPtrArray *spans,
                                  size_t *ret_size) {
  struct span_message *messages = g_new0(struct span_message, spans->len);
  g_autofree Span **pointers = g_new0(Span *, spans->len);
  for (guint i = 0; i < spans->len; i++) {
    init_span(&messages[i], spans->pdata[i], origin);
    pointers[i] = &messages[i].span;
  }
  Scope scope;
  ScopeSpans scope_spans;
  opentelemetry__proto__common__v1__instrumentation_scope__init(&scope);
  scope.name = (char *)"annals";
  scope.version = (char *)ANNALS_VERSION;
  opentelemetry__proto__trace__v1__scope_spans__init(&scope_spans);
  scope_spans.scope = &scope;
  scope_spans.n_spans = spans->len;
  scope_spans.spans = pointers;
  uint8_t *bytes = pack_scope(origin, &scope_spans, ret_size);
  for (guint i = 0; i < spans->len; i++) {
    g_free(messages[i].own[0]);
    g_free(messages[i].own[1]);
  }
  g_free(messages);
  return bytes;
}

bool annals_otlp_message_read(const uint8_t *bytes, size_t size, int64_t *ret_rejected,
                              char **ret_message) {
  Response *response =
      opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(NULL, size,
                                                                                        bytes);
  if (response == NULL) {
    return false;
  }
  *ret_rejected = 0;
  *ret_message = NULL;
  if (response->partial_success != NULL) {
    *ret_rejected = response->partial_success->rejected_spans;
    const char *message = response->partial_success->error_message;
    *ret_message = *message == '\0' ? NULL : g_strdup(message);
  }
  opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(response,
                                                                                           NULL);
  return true;
}
