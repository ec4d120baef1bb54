#include "server/otlp/message.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "server/ops/process_metrics.h"
#include "server/otlp/span.h"

namespace annals {
namespace {

using Request = Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest;
using KeyValue = Opentelemetry__Proto__Common__V1__KeyValue;
using Span = Opentelemetry__Proto__Trace__V1__Span;
using Texts = std::map<std::string, std::string>;

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kArn[] = "arn:aws:states:us-east-1:123456789012:execution:M:a";
constexpr int64_t kEnd = 1700000000000000;

/* Attributes as texts; numbers with # before them. */
Texts TextsOf(KeyValue **attributes, size_t count) {
  Texts texts;
  for (size_t i = 0; i < count; i++) {
    const auto *value = attributes[i]->value;
    const bool is_text =
        value->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
    EXPECT_TRUE(texts
                    .emplace(attributes[i]->key, is_text ? std::string(value->string_value)
                                                         : "#" + std::to_string(value->int_value))
                    .second)
        << attributes[i]->key;
  }
  return texts;
}

class Message : public ::testing::Test {
 protected:
  Message() {
    annals_pairs_set(resource_, "service.name", "annals");
    EXPECT_TRUE(annals_trace_continue(kParent, ANNALS_TRACEPARENT_BYTES, &trace_));
    grpc_.trace = http_.trace = &trace_;
    grpc_.method = "/annals.v1.HistoryService/GetExecutionHistory";
    grpc_.transport = "grpc";
    http_.method = "GetExecutionHistory";
    http_.transport = "aws_json";
    http_.http_method = "POST";
    http_.http_path = "/";
    http_.status = 200;
  }
  ~Message() override {
    g_ptr_array_unref(spans_);
    g_array_unref(resource_);
    if (request_ != nullptr) {
      opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(
          request_, nullptr);
    }
  }

  void Add(const annals_call_summary &end) {
    g_ptr_array_add(spans_, annals_span_new(&end, 1500, kEnd));
  }

  /* Packs the spans and unpacks them again; gives the last one. */
  const Span &Pack() {
    const annals_otlp_origin origin = {
        .resource = resource_,
        .grpc = {const_cast<char *>("127.0.0.1"), 50051},
        .gateway = {const_cast<char *>("::1"), 8083},
        .url_scheme = "https",
    };
    size_t size;
    uint8_t *bytes = annals_otlp_message_pack(&origin, spans_, &size);
    request_ = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
        nullptr, size, bytes);
    g_free(bytes);
    const auto &scope = *request_->resource_spans[0]->scope_spans[0];
    EXPECT_EQ(scope.n_spans, spans_->len);
    return *scope.spans[scope.n_spans - 1];
  }

  GArray *resource_ = annals_pairs_new();
  GPtrArray *spans_ =
      g_ptr_array_new_with_free_func([](gpointer span) { annals_span_free((annals_span *)span); });
  annals_trace trace_ = {};
  annals_call_summary grpc_ = {};
  annals_call_summary http_ = {};
  Request *request_ = nullptr;
};

TEST_F(Message, TellsOfAGrpcCall) {
  grpc_.request_id = "r-1";
  grpc_.principal = "engine";
  grpc_.arn = kArn;
  Add(grpc_);
  const Span &span = Pack();
  EXPECT_STREQ(span.name, "annals.v1.HistoryService/GetExecutionHistory");
  EXPECT_EQ(span.kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_SERVER);
  EXPECT_EQ(span.start_time_unix_nano, 1699999999998500000U);
  EXPECT_EQ(span.end_time_unix_nano, 1700000000000000000U);
  EXPECT_EQ(TextsOf(span.attributes, span.n_attributes),
            (Texts{{"rpc.system", "grpc"},
                   {"rpc.service", "annals.v1.HistoryService"},
                   {"rpc.method", "GetExecutionHistory"},
                   {"rpc.grpc.status_code", "#0"},
                   {"server.address", "127.0.0.1"},
                   {"server.port", "#50051"},
                   {"enduser.id", "engine"},
                   {"annals.request_id", "r-1"},
                   {"annals.arn", kArn}}));
  EXPECT_EQ(span.status, nullptr);
}

TEST_F(Message, TellsOfAnHttpCall) {
  Add(http_);
  const Span &span = Pack();
  EXPECT_STREQ(span.name, "SFN/GetExecutionHistory");
  EXPECT_EQ(TextsOf(span.attributes, span.n_attributes),
            (Texts{{"rpc.system", "aws-api"},
                   {"rpc.service", "SFN"},
                   {"rpc.method", "GetExecutionHistory"},
                   {"http.request.method", "POST"},
                   {"http.response.status_code", "#200"},
                   {"url.path", "/"},
                   {"url.scheme", "https"},
                   {"server.address", "::1"},
                   {"server.port", "#8083"}}));
}

TEST_F(Message, TellsOfWhatIsNotServed) {
  http_.method = grpc_.method = nullptr;
  http_.http_path = nullptr;
  http_.http_method = "GET";
  http_.status = 404;
  http_.reason = "NOT_FOUND";
  Add(grpc_);
  Add(http_);
  const Span &span = Pack();
  EXPECT_STREQ(request_->resource_spans[0]->scope_spans[0]->spans[0]->name, "grpc");
  EXPECT_STREQ(span.name, "GET");
  EXPECT_EQ(TextsOf(span.attributes, span.n_attributes),
            (Texts{{"http.request.method", "GET"},
                   {"http.response.status_code", "#404"},
                   {"url.scheme", "https"},
                   {"server.address", "::1"},
                   {"server.port", "#8083"},
                   {"error.type", "NOT_FOUND"}}));
}

TEST_F(Message, PlacesASpanBelowItsCallers) {
  Add(grpc_);
  const Span &span = Pack();
  const auto text = [](const ProtobufCBinaryData &bytes) {
    std::string hex(2 * bytes.len + 1, 0);
    annals_trace_hex(bytes.data, bytes.len, hex.data());
    hex.pop_back();
    return hex;
  };
  EXPECT_EQ(text(span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(text(span.parent_span_id), "00f067aa0ba902b7");
  EXPECT_EQ(span.span_id.len, 8U);
  EXPECT_NE(text(span.span_id), "00f067aa0ba902b7");
  EXPECT_EQ(span.flags, 0x301U);
}

TEST_F(Message, TellsWhereATraceBegins) {
  annals_trace_begin(&trace_);
  Add(grpc_);
  const Span &span = Pack();
  EXPECT_EQ(span.parent_span_id.len, 0U);
  EXPECT_EQ(span.flags, 0x101U);
}

TEST_F(Message, PlacesAPartBelowItsCall) {
  annals_trace part;
  annals_trace_descend(&trace_, &part);
  grpc_.trace = &part;
  grpc_.is_part = true;
  Add(grpc_);
  const Span &span = Pack();
  EXPECT_EQ(span.kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_INTERNAL);
  EXPECT_EQ(memcmp(span.trace_id.data, trace_.trace_id, sizeof trace_.trace_id), 0);
  EXPECT_EQ(memcmp(span.parent_span_id.data, trace_.span_id, sizeof trace_.span_id), 0);
  EXPECT_NE(memcmp(span.span_id.data, trace_.span_id, sizeof trace_.span_id), 0);
  EXPECT_EQ(span.flags, 0x101U);
}

TEST_F(Message, CallsFailuresOfTheServerAlone) {
  for (const auto &[status, is_error] :
       {std::pair(3, false), {5, false}, {8, false}, {2, true}, {13, true}, {14, true}}) {
    grpc_.status = status;
    grpc_.reason = "REASON";
    grpc_.detail = "a disk";
    g_ptr_array_set_size(spans_, 0);
    Add(grpc_);
    const Span &span = Pack();
    EXPECT_EQ(TextsOf(span.attributes, span.n_attributes)["error.type"], "REASON");
    ASSERT_EQ(span.status != nullptr, is_error) << status;
    if (is_error) {
      EXPECT_EQ(span.status->code,
                OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
      EXPECT_STREQ(span.status->message, "a disk");
    }
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(
        request_, nullptr);
    request_ = nullptr;
  }
}

TEST_F(Message, LeavesOutWhatIsNoArnAndCutsWhatIsLong) {
  const std::string text = "arn:" + std::string(5000, 'x');
  const std::string bytes = "arn:\xff";
  grpc_.arn = "a payload";
  Add(grpc_);
  grpc_.arn = bytes.c_str();
  Add(grpc_);
  grpc_.arn = text.c_str();
  Add(grpc_);
  const Span &span = Pack();
  EXPECT_EQ(TextsOf(span.attributes, span.n_attributes)["annals.arn"],
            text.substr(0, ANNALS_SPAN_TEXT_BYTES));
  Span **all = request_->resource_spans[0]->scope_spans[0]->spans;
  EXPECT_EQ(TextsOf(all[0]->attributes, all[0]->n_attributes).count("annals.arn"), 0U);
  EXPECT_EQ(TextsOf(all[1]->attributes, all[1]->n_attributes)["annals.arn"], "arn:\xef\xbf\xbd");
}

TEST_F(Message, SaysWhoTells) {
  annals_pairs_set(resource_, "k8s.pod.name", "annals-0");
  Add(http_);
  Pack();
  const auto &resource = *request_->resource_spans[0]->resource;
  EXPECT_EQ(TextsOf(resource.attributes, resource.n_attributes),
            (Texts{{"service.name", "annals"}, {"k8s.pod.name", "annals-0"}}));
  const auto &scope = *request_->resource_spans[0]->scope_spans[0]->scope;
  EXPECT_STREQ(scope.name, "annals");
  EXPECT_STREQ(scope.version, ANNALS_VERSION);
}

TEST(Answer, IsRead) {
  const std::string part("\x0a\x08\x08\x03\x12\x04gone", 10);
  int64_t rejected = -1;
  char *message = nullptr;
  ASSERT_TRUE(
      annals_otlp_message_read((const uint8_t *)part.data(), part.size(), &rejected, &message));
  EXPECT_EQ(rejected, 3);
  EXPECT_STREQ(message, "gone");
  g_free(message);
  ASSERT_TRUE(annals_otlp_message_read(nullptr, 0, &rejected, &message));
  EXPECT_EQ(rejected, 0);
  EXPECT_EQ(message, nullptr);
  EXPECT_FALSE(annals_otlp_message_read((const uint8_t *)"{\"a\"}", 5, &rejected, &message));
}

}  // namespace
}  // namespace annals
