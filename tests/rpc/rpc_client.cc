#include "tests/rpc/rpc_client.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/compression.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

namespace annals_test {

const char kAppendPath[] = "/annals.v1.HistoryService/AppendHistoryEvents";
const char kPagePath[] = "/annals.v1.HistoryService/GetExecutionHistory";

namespace {

// gRPC stays up as long as the program.
class GrpcEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    grpc_init();
  }
  void TearDown() override {
    grpc_shutdown_blocking();
  }
};
const auto *const kGrpc = ::testing::AddGlobalTestEnvironment(new GrpcEnvironment);

std::string StringOf(const grpc_slice &slice) {
  return std::string(reinterpret_cast<const char *>(GRPC_SLICE_START_PTR(slice)),
                     GRPC_SLICE_LENGTH(slice));
}

std::string StringOf(grpc_byte_buffer *buffer) {
  grpc_byte_buffer_reader reader;
  EXPECT_TRUE(grpc_byte_buffer_reader_init(&reader, buffer));
  grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
  std::string text = StringOf(slice);
  grpc_slice_unref(slice);
  grpc_byte_buffer_reader_destroy(&reader);
  return text;
}

template <typename Message>
using Unpack = Message *(*)(ProtobufCAllocator *, size_t, const uint8_t *);
template <typename Message>
using Free = void (*)(Message *, ProtobufCAllocator *);

// Unpacks a message, which must be one, and shows it.
template <typename Message, typename Take>
void Read(Unpack<Message> unpack, Free<Message> free_unpacked, const ProtobufCBinaryData &bytes,
          Take take) {
  Message *message = unpack(nullptr, bytes.len, bytes.data);
  ASSERT_NE(message, nullptr);
  take(*message);
  free_unpacked(message, nullptr);
}

void TakeErrorInfo(const Google__Rpc__ErrorInfo &info, ErrorDetails *error) {
  error->reason = info.reason;
  error->domain = info.domain;
  for (size_t i = 0; i < info.n_metadata; i++) {
    error->metadata[info.metadata[i]->key] = info.metadata[i]->value;
  }
}

void TakeBadRequest(const Google__Rpc__BadRequest &request, ErrorDetails *error) {
  for (size_t i = 0; i < request.n_field_violations; i++) {
    error->violations.emplace_back(request.field_violations[i]->field,
                                   request.field_violations[i]->description);
  }
}

void TakeAny(const Google__Protobuf__Any &any, ErrorDetails *error) {
  const std::string prefix = "type.googleapis.com/google.rpc.";
  ASSERT_EQ(std::string(any.type_url).compare(0, prefix.size(), prefix), 0) << any.type_url;
  const std::string type = any.type_url + prefix.size();
  error->types.push_back(type);
  if (type == "ErrorInfo") {
    Read(google__rpc__error_info__unpack, google__rpc__error_info__free_unpacked, any.value,
         [&](const Google__Rpc__ErrorInfo &info) { TakeErrorInfo(info, error); });
  } else if (type == "BadRequest") {
    Read(google__rpc__bad_request__unpack, google__rpc__bad_request__free_unpacked, any.value,
         [&](const Google__Rpc__BadRequest &request) { TakeBadRequest(request, error); });
  } else if (type == "RequestInfo") {
    Read(google__rpc__request_info__unpack, google__rpc__request_info__free_unpacked, any.value,
         [&](const Google__Rpc__RequestInfo &info) { error->request_id = info.request_id; });
  } else {
    ASSERT_EQ(type, "RetryInfo");
    Read(google__rpc__retry_info__unpack, google__rpc__retry_info__free_unpacked, any.value,
         [&](const Google__Rpc__RetryInfo &info) {
           error->retry_ms = info.retry_delay->seconds * 1000 + info.retry_delay->nanos / 1000000;
         });
  }
}

}  // namespace

ErrorDetails ReadErrorDetails(const std::string &bytes) {
  ErrorDetails error;
  error.bytes = bytes.size();
  ProtobufCBinaryData data = {bytes.size(),
                              reinterpret_cast<uint8_t *>(const_cast<char *>(bytes.data()))};
  Read(google__rpc__status__unpack, google__rpc__status__free_unpacked, data,
       [&](const Google__Rpc__Status &status) {
         error.code = status.code;
         error.message = status.message;
         for (size_t i = 0; i < status.n_details; i++) {
           TakeAny(*status.details[i], &error);
         }
       });
  return error;
}

namespace {

grpc_call *NewCall(grpc_channel *channel, grpc_completion_queue *queue, const std::string &path,
                   int64_t timeout_ms) {
  gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
  grpc_slice method = grpc_slice_from_copied_buffer(path.data(), path.size());
  grpc_call *call = grpc_channel_create_call(channel, nullptr, GRPC_PROPAGATE_DEFAULTS, queue,
                                             method, nullptr, deadline, nullptr);
  grpc_slice_unref(method);
  return call;
}

Reply MakeReply(grpc_status_code status, const grpc_slice &message,
                const grpc_metadata_array &trailers) {
  Reply reply;
  reply.code = status;
  reply.message = StringOf(message);
  for (size_t i = 0; i < trailers.count; i++) {
    const grpc_metadata &metadata = trailers.metadata[i];
    if (grpc_slice_str_cmp(metadata.key, "grpc-status-details-bin") == 0) {
      EXPECT_FALSE(reply.has_details);
      reply.has_details = true;
      reply.error = ReadErrorDetails(StringOf(metadata.value));
    }
  }
  return reply;
}

void Drain(grpc_completion_queue *queue) {
  grpc_completion_queue_shutdown(queue);
  while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr).type !=
         GRPC_QUEUE_SHUTDOWN) {
  }
  grpc_completion_queue_destroy(queue);
}

}  // namespace

PendingCall::PendingCall(grpc_channel *channel, const std::string &path, const std::string &request,
                         const CallOptions &options)
    : queue_(grpc_completion_queue_create_for_next(nullptr)) {
  call_ = NewCall(channel, queue_, path, options.timeout_ms);
  if (!options.without_message) {
    grpc_slice slice = grpc_slice_from_copied_buffer(request.data(), request.size());
    request_ = options.compressed
                   ? grpc_raw_compressed_byte_buffer_create(&slice, 1, GRPC_COMPRESS_GZIP)
                   : grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
  }
  grpc_metadata_array_init(&initial_metadata_);
  grpc_metadata_array_init(&trailing_metadata_);
  message_ = grpc_empty_slice();
  StartBatch(options);
}

void PendingCall::StartBatch(const CallOptions &options) {
  grpc_op ops[6] = {};
  size_t count = 0;
  grpc_metadata metadata = {};
  metadata.key = grpc_slice_from_static_string("x-test");
  metadata.value = grpc_slice_from_copied_buffer(options.metadata.data(), options.metadata.size());
  ops[count].op = GRPC_OP_SEND_INITIAL_METADATA;
  ops[count].data.send_initial_metadata.metadata = &metadata;
  ops[count++].data.send_initial_metadata.count = options.metadata.empty() ? 0 : 1;
  if (request_ != nullptr && !options.stalled) {
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = request_;
  }
  if (!options.stalled) {
    ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  }
  ops[count].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[count++].data.recv_initial_metadata.recv_initial_metadata = &initial_metadata_;
  ops[count].op = GRPC_OP_RECV_MESSAGE;
  ops[count++].data.recv_message.recv_message = &response_;
  ops[count].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  ops[count].data.recv_status_on_client.trailing_metadata = &trailing_metadata_;
  ops[count].data.recv_status_on_client.status = &status_;
  ops[count++].data.recv_status_on_client.status_details = &message_;
  EXPECT_EQ(grpc_call_start_batch(call_, ops, count, this, nullptr), GRPC_CALL_OK);
  grpc_slice_unref(metadata.value);
}

PendingCall::~PendingCall() {
  Wait();
  grpc_slice_unref(message_);
  grpc_metadata_array_destroy(&initial_metadata_);
  grpc_metadata_array_destroy(&trailing_metadata_);
  if (request_ != nullptr) {
    grpc_byte_buffer_destroy(request_);
  }
  if (response_ != nullptr) {
    grpc_byte_buffer_destroy(response_);
  }
  grpc_call_unref(call_);
  Drain(queue_);
}

void PendingCall::Cancel() {
  EXPECT_EQ(grpc_call_cancel(call_, nullptr), GRPC_CALL_OK);
}

void PendingCall::TakeReply() {
  Reply reply = MakeReply(status_, message_, trailing_metadata_);
  if (response_ != nullptr) {
    reply.body = StringOf(response_);
  }
  reply_ = reply;
}

const Reply &PendingCall::Wait() {
  if (!reply_.has_value()) {
    grpc_event event =
        grpc_completion_queue_next(queue_, gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr);
    EXPECT_EQ(event.type, GRPC_OP_COMPLETE);
    TakeReply();
  }
  return *reply_;
}

StreamCall::StreamCall(grpc_channel *channel, const std::string &path, int64_t timeout_ms,
                       const std::string &authorization)
    : queue_(grpc_completion_queue_create_for_next(nullptr)),
      call_(NewCall(channel, queue_, path, timeout_ms)) {
  grpc_metadata_array_init(&initial_metadata_);
  grpc_metadata_array_init(&trailing_metadata_);
  message_ = grpc_empty_slice();
  grpc_metadata metadata = {};
  metadata.key = grpc_slice_from_static_string("authorization");
  metadata.value = grpc_slice_from_copied_buffer(authorization.data(), authorization.size());
  grpc_op op = {};
  op.op = GRPC_OP_SEND_INITIAL_METADATA;
  op.data.send_initial_metadata.metadata = &metadata;
  op.data.send_initial_metadata.count = authorization.empty() ? 0 : 1;
  EXPECT_EQ(grpc_call_start_batch(call_, &op, 1, &queue_, nullptr), GRPC_CALL_OK);
  grpc_slice_unref(metadata.value);
  op = {};
  op.op = GRPC_OP_RECV_INITIAL_METADATA;
  op.data.recv_initial_metadata.recv_initial_metadata = &initial_metadata_;
  EXPECT_EQ(grpc_call_start_batch(call_, &op, 1, &initial_metadata_, nullptr), GRPC_CALL_OK);
  op = {};
  op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  op.data.recv_status_on_client.trailing_metadata = &trailing_metadata_;
  op.data.recv_status_on_client.status = &status_;
  op.data.recv_status_on_client.status_details = &message_;
  EXPECT_EQ(grpc_call_start_batch(call_, &op, 1, &status_, nullptr), GRPC_CALL_OK);
}

StreamCall::~StreamCall() {
  Cancel();
  Finish();
  grpc_slice_unref(message_);
  grpc_metadata_array_destroy(&initial_metadata_);
  grpc_metadata_array_destroy(&trailing_metadata_);
  grpc_call_unref(call_);
  Drain(queue_);
}

bool StreamCall::WaitFor(void *tag) {
  while (done_.count(tag) == 0) {
    grpc_event event =
        grpc_completion_queue_next(queue_, gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr);
    done_[event.tag] = event.success != 0;
  }
  return done_[tag];
}

bool StreamCall::Run(const grpc_op *ops, size_t count, void *tag) {
  EXPECT_EQ(grpc_call_start_batch(call_, ops, count, tag, nullptr), GRPC_CALL_OK);
  done_.erase(tag);
  return WaitFor(tag);
}

bool StreamCall::Send(const std::string &message, bool last) {
  grpc_slice slice = grpc_slice_from_copied_buffer(message.data(), message.size());
  grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_op ops[2] = {};
  ops[0].op = GRPC_OP_SEND_MESSAGE;
  ops[0].data.send_message.send_message = buffer;
  ops[1].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  const bool sent = Run(ops, last ? 2 : 1, &slice);
  grpc_byte_buffer_destroy(buffer);
  grpc_slice_unref(slice);
  return sent;
}

bool StreamCall::Close() {
  grpc_op op = {};
  op.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  return Run(&op, 1, &op);
}

bool StreamCall::WaitUntilOpen() {
  return WaitFor(&initial_metadata_) && done_.count(&status_) == 0;
}

std::optional<std::string> StreamCall::Receive() {
  grpc_byte_buffer *buffer = nullptr;
  grpc_op op = {};
  op.op = GRPC_OP_RECV_MESSAGE;
  op.data.recv_message.recv_message = &buffer;
  Run(&op, 1, &buffer);
  if (buffer == nullptr) {
    return std::nullopt;
  }
  std::string message = StringOf(buffer);
  grpc_byte_buffer_destroy(buffer);
  return message;
}

void StreamCall::Cancel() {
  EXPECT_EQ(grpc_call_cancel(call_, nullptr), GRPC_CALL_OK);
}

const Reply &StreamCall::Finish() {
  if (!reply_.has_value()) {
    WaitFor(&status_);
    WaitFor(&initial_metadata_);
    reply_ = MakeReply(status_, message_, trailing_metadata_);
  }
  return *reply_;
}

RpcClient::RpcClient(int port, grpc_compression_algorithm compression, int window_bytes) {
  grpc_arg args[5] = {};
  const char *keys[] = {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, GRPC_ARG_ENABLE_HTTP_PROXY,
                        GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM, GRPC_ARG_HTTP2_BDP_PROBE,
                        GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES};
  const int values[] = {1, 0, compression, 0, window_bytes};
  const size_t count = window_bytes == 0 ? 3 : 5;
  for (size_t i = 0; i < count; i++) {
    args[i].type = GRPC_ARG_INTEGER;
    args[i].key = const_cast<char *>(keys[i]);
    args[i].value.integer = values[i];
  }
  grpc_channel_args channel_args = {count, args};
  grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
  const std::string target = "127.0.0.1:" + std::to_string(port);
  channel_ = grpc_channel_create(target.c_str(), credentials, &channel_args);
  grpc_channel_credentials_release(credentials);
}

RpcClient::~RpcClient() {
  grpc_channel_destroy(channel_);
}

std::unique_ptr<PendingCall> RpcClient::Start(const std::string &path, const std::string &request,
                                              const CallOptions &options) {
  return std::make_unique<PendingCall>(channel_, path, request, options);
}

std::unique_ptr<StreamCall> RpcClient::Open(const std::string &path, int64_t timeout_ms,
                                            const std::string &authorization) {
  return std::make_unique<StreamCall>(channel_, path, timeout_ms, authorization);
}

Reply RpcClient::Call(const std::string &path, const std::string &request,
                      const CallOptions &options) {
  return Start(path, request, options)->Wait();
}

}  // namespace annals_test
