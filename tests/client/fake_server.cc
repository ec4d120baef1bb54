#include "tests/client/fake_server.h"

#include <glib.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "annals/v1/history_service.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/wire.h"

namespace annals {
namespace {

const char kAccepted = 0;
const char kStopped = 0;
const char kReceived = 0;
const char kClosed = 0;
const char kSent = 0;

// Tags are addresses; the core never looks behind them.
void *Tag(const char *tag) {
  return const_cast<char *>(tag);
}

std::string StringOf(grpc_slice slice) {
  return std::string(reinterpret_cast<const char *>(GRPC_SLICE_START_PTR(slice)),
                     GRPC_SLICE_LENGTH(slice));
}

std::string StringOf(grpc_byte_buffer *buffer) {
  if (buffer == nullptr) {
    return "";
  }
  grpc_byte_buffer_reader reader;
  g_assert(grpc_byte_buffer_reader_init(&reader, buffer) != 0);
  grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
  std::string text = StringOf(slice);
  grpc_slice_unref(slice);
  grpc_byte_buffer_reader_destroy(&reader);
  return text;
}

grpc_slice SliceOf(const std::string &text) {
  return grpc_slice_from_copied_buffer(text.data(), text.size());
}

template <typename Message>
std::string Pack(const Message &message) {
  const ProtobufCMessage *base = &message.base;
  std::string bytes(protobuf_c_message_get_packed_size(base), '\0');
  protobuf_c_message_pack(base, reinterpret_cast<uint8_t *>(&bytes[0]));
  return bytes;
}

std::string Frame(uint32_t number, const std::string &bytes) {
  struct annals_buffer out;
  annals_buffer_init(&out, G_MAXSSIZE);
  annals_wire_append_bytes(&out, number, bytes.data(), bytes.size());
  std::string framed(reinterpret_cast<char *>(out.data), out.len);
  annals_buffer_clear(&out);
  return framed;
}

int64_t IdOf(const std::string &event) {
  Annals__V1__HistoryEvent *message = annals__v1__history_event__unpack(
      nullptr, event.size(), reinterpret_cast<const uint8_t *>(event.data()));
  g_assert(message != nullptr);
  int64_t id = message->id;
  annals__v1__history_event__free_unpacked(message, nullptr);
  return id;
}

}  // namespace

FakeServer::FakeServer(Handler handler) : handler_(std::move(handler)) {
  grpc_init();
  grpc_arg no_reuse = {};
  no_reuse.type = GRPC_ARG_INTEGER;
  no_reuse.key = const_cast<char *>(GRPC_ARG_ALLOW_REUSEPORT);
  grpc_arg limit = {};
  limit.type = GRPC_ARG_INTEGER;
  limit.key = const_cast<char *>(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH);
  limit.value.integer = 8 << 20;
  grpc_arg list[] = {no_reuse, limit};
  grpc_channel_args args = {2, list};
  server_ = grpc_server_create(&args, nullptr);
  queue_ = grpc_completion_queue_create_for_next(nullptr);
  grpc_server_register_completion_queue(server_, queue_, nullptr);
  grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
  int port = grpc_server_add_http2_port(server_, "127.0.0.1:0", credentials);
  grpc_server_credentials_release(credentials);
  g_assert(port > 0);
  endpoint_ = "127.0.0.1:" + std::to_string(port);
  grpc_server_start(server_);
  thread_ = std::thread([this] { Loop(); });
}

FakeServer::~FakeServer() {
  grpc_server_shutdown_and_notify(server_, queue_, Tag(&kStopped));
  grpc_server_cancel_all_calls(server_);
  thread_.join();
  grpc_completion_queue_shutdown(queue_);
  while (grpc_completion_queue_next(queue_, gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr).type !=
         GRPC_QUEUE_SHUTDOWN) {
  }
  grpc_server_destroy(server_);
  grpc_completion_queue_destroy(queue_);
  grpc_shutdown();
}

// Waits for one tag; the server's stopping and the call's end may come in between.
bool FakeServer::Wait(const void *tag) {
  for (;;) {
    grpc_event event =
        grpc_completion_queue_next(queue_, gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr);
    stopped_ = stopped_ || event.tag == &kStopped;
    closed_ = closed_ || event.tag == &kClosed;
    if (event.tag == tag) {
      return event.success != 0;
    }
  }
}

void FakeServer::Loop() {
  for (;;) {
    grpc_call_details_init(&details_);
    grpc_metadata_array_init(&metadata_);
    grpc_call_error error = grpc_server_request_call(server_, &call_, &details_, &metadata_, queue_,
                                                     queue_, Tag(&kAccepted));
    bool accepted = error == GRPC_CALL_OK && Wait(&kAccepted);
    if (accepted) {
      Serve();
    }
    grpc_call_details_destroy(&details_);
    grpc_metadata_array_destroy(&metadata_);
    if (!accepted) {
      break;
    }
  }
  if (!stopped_) {
    Wait(&kStopped);
  }
}

// Returns false at the end of what the client sends.
bool FakeServer::Receive(std::string *message) {
  grpc_byte_buffer *request = nullptr;
  grpc_op receive = {};
  receive.op = GRPC_OP_RECV_MESSAGE;
  receive.data.recv_message.recv_message = &request;
  g_assert(grpc_call_start_batch(call_, &receive, 1, Tag(&kReceived), nullptr) == GRPC_CALL_OK);
  Wait(&kReceived);
  *message = StringOf(request);
  if (request == nullptr) {
    return false;
  }
  grpc_byte_buffer_destroy(request);
  return true;
}

// Answers message by message; returns how it all ends.
FakeReply FakeServer::Converse() {
  std::string message;
  FakeReply reply;
  for (;;) {
    bool more = Receive(&message);
    if (!more && reply.goes_on) {
      reply = FakeReply();
      reply.without_body = true;
      return reply;
    }
    reply = handler_(StringOf(details_.method), message);
    if (!reply.goes_on) {
      return reply;
    }
    Open();
    SendMessage(reply.body);
  }
}

void FakeServer::Serve() {
  opened_ = false;
  FakeReply reply = Converse();
  std::this_thread::sleep_for(std::chrono::milliseconds(reply.delay_ms));
  Send(reply);
  grpc_call_unref(call_);
}

void FakeServer::Send(const FakeReply &reply) {
  int cancelled = 0;
  grpc_op close = {};
  close.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
  close.data.recv_close_on_server.cancelled = &cancelled;
  closed_ = false;
  g_assert(grpc_call_start_batch(call_, &close, 1, Tag(&kClosed), nullptr) == GRPC_CALL_OK);
  SendMessages(reply);
  if (!reply.stalled) {
    SendStatus(reply);
  }
  if (!closed_) {
    Wait(&kClosed);
  }
}

void FakeServer::Open() {
  if (!opened_) {
    grpc_op op = {};
    op.op = GRPC_OP_SEND_INITIAL_METADATA;
    g_assert(grpc_call_start_batch(call_, &op, 1, Tag(&kSent), nullptr) == GRPC_CALL_OK);
    Wait(&kSent);
    opened_ = true;
  }
}

void FakeServer::SendMessage(const std::string &message) {
  grpc_slice slice = SliceOf(message);
  grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_op op = {};
  op.op = GRPC_OP_SEND_MESSAGE;
  op.data.send_message.send_message = buffer;
  g_assert(grpc_call_start_batch(call_, &op, 1, Tag(&kSent), nullptr) == GRPC_CALL_OK);
  Wait(&kSent);
  grpc_byte_buffer_destroy(buffer);
  grpc_slice_unref(slice);
}

void FakeServer::SendMessages(const FakeReply &reply) {
  Open();
  for (const std::string &message : reply.messages) {
    SendMessage(message);
  }
}

void FakeServer::SendStatus(const FakeReply &reply) {
  grpc_slice body = SliceOf(reply.body);
  grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&body, 1);
  grpc_slice message = SliceOf(reply.message);
  grpc_metadata trailer = {};
  trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
  trailer.value = SliceOf(reply.details);
  grpc_op ops[2] = {};
  size_t n = 0;
  if (reply.code == 0 && !reply.without_body) {
    ops[n].op = GRPC_OP_SEND_MESSAGE;
    ops[n++].data.send_message.send_message = buffer;
  }
  ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
  ops[n].data.send_status_from_server.status = static_cast<grpc_status_code>(reply.code);
  ops[n].data.send_status_from_server.status_details = &message;
  ops[n].data.send_status_from_server.trailing_metadata_count = reply.details.empty() ? 0 : 1;
  ops[n++].data.send_status_from_server.trailing_metadata = &trailer;
  g_assert(grpc_call_start_batch(call_, ops, n, Tag(&kSent), nullptr) == GRPC_CALL_OK);
  Wait(&kSent);
  grpc_slice_unref(trailer.value);
  grpc_slice_unref(message);
  grpc_slice_unref(body);
  grpc_byte_buffer_destroy(buffer);
}

std::string StatusDetails(const std::string &reason,
                          const std::vector<std::pair<std::string, std::string>> &metadata,
                          int retry_ms) {
  std::vector<Google__Rpc__ErrorInfo__MetadataEntry> entries(metadata.size());
  std::vector<Google__Rpc__ErrorInfo__MetadataEntry *> pointers;
  for (size_t i = 0; i < metadata.size(); i++) {
    google__rpc__error_info__metadata_entry__init(&entries[i]);
    entries[i].key = const_cast<char *>(metadata[i].first.c_str());
    entries[i].value = const_cast<char *>(metadata[i].second.c_str());
    pointers.push_back(&entries[i]);
  }
  Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
  info.reason = const_cast<char *>(reason.c_str());
  info.domain = const_cast<char *>("annals.v1");
  info.n_metadata = pointers.size();
  info.metadata = pointers.data();

  Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
  delay.seconds = retry_ms / 1000;
  delay.nanos = retry_ms % 1000 * 1000000;
  Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
  retry.retry_delay = &delay;

  std::string values[2] = {Pack(info), Pack(retry)};
  const char *types[2] = {"type.googleapis.com/google.rpc.ErrorInfo",
                          "type.googleapis.com/google.rpc.RetryInfo"};
  Google__Protobuf__Any anys[2];
  Google__Protobuf__Any *details[2];
  for (int i = 0; i < 2; i++) {
    google__protobuf__any__init(&anys[i]);
    anys[i].type_url = const_cast<char *>(types[i]);
    anys[i].value.len = values[i].size();
    anys[i].value.data = reinterpret_cast<uint8_t *>(&values[i][0]);
    details[i] = &anys[i];
  }
  Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
  status.n_details = retry_ms < 0 ? 1 : 2;
  status.details = details;
  return Pack(status);
}

std::string EventBytes(int64_t id, size_t payload_size) {
  Annals__V1__HistoryEvent event = ANNALS__V1__HISTORY_EVENT__INIT;
  Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  Annals__V1__StateEnteredEventDetails details = ANNALS__V1__STATE_ENTERED_EVENT_DETAILS__INIT;
  std::string input(payload_size, 'x');
  timestamp.seconds = 1525283875;
  timestamp.nanos = 580000000;
  details.name = const_cast<char *>("HelloWorld");
  details.input = const_cast<char *>(input.c_str());
  event.timestamp = &timestamp;
  event.type = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_PASS_STATE_ENTERED;
  event.id = id;
  event.previous_event_id = id - 1;
  event.details_case = ANNALS__V1__HISTORY_EVENT__DETAILS_STATE_ENTERED_EVENT_DETAILS;
  event.state_entered_event_details = &details;
  return Pack(event);
}

std::string DescriptionBytes(const std::string &name) {
  Annals__V1__DescribeExecutionResponse message = ANNALS__V1__DESCRIBE_EXECUTION_RESPONSE__INIT;
  Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  Google__Protobuf__Timestamp stop = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  Annals__V1__CloudWatchEventsExecutionDataDetails included =
      ANNALS__V1__CLOUD_WATCH_EVENTS_EXECUTION_DATA_DETAILS__INIT;
  std::string arn = "arn:" + name;
  start.seconds = 1525283875;
  start.nanos = 580000000;
  stop.seconds = 1525283876;
  included.included = 1;
  message.execution_arn = const_cast<char *>(arn.c_str());
  message.state_machine_arn = const_cast<char *>("arn:machine");
  message.name = const_cast<char *>(name.c_str());
  message.status = ANNALS__V1__EXECUTION_STATUS__EXECUTION_STATUS_FAILED;
  message.start_date = &start;
  message.stop_date = &stop;
  message.input = const_cast<char *>("{\n}");
  message.input_details = &included;
  message.error = const_cast<char *>("States.Timeout");
  message.redrive_status =
      ANNALS__V1__EXECUTION_REDRIVE_STATUS__EXECUTION_REDRIVE_STATUS_NOT_REDRIVABLE;
  message.redrive_status_reason = const_cast<char *>("too late");
  return Pack(message);
}

std::string ItemBytes(const std::string &name, int second) {
  Annals__V1__ExecutionListItem item = ANNALS__V1__EXECUTION_LIST_ITEM__INIT;
  Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  Google__Protobuf__Timestamp stop = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  std::string arn = "arn:" + name;
  start.seconds = 1525283875 + second;
  stop.seconds = 1525290000;
  item.execution_arn = const_cast<char *>(arn.c_str());
  item.state_machine_arn = const_cast<char *>("arn:machine");
  item.name = const_cast<char *>(name.c_str());
  item.status = second == 0 ? ANNALS__V1__EXECUTION_STATUS__EXECUTION_STATUS_RUNNING
                            : ANNALS__V1__EXECUTION_STATUS__EXECUTION_STATUS_TIMED_OUT;
  item.start_date = &start;
  item.stop_date = second == 0 ? nullptr : &stop;
  item.redrive_count = second;
  return Pack(item);
}

FakeReply FakeExecutions::operator()(const std::string &method, const std::string &request) {
  std::lock_guard<std::mutex> lock(mutex_);
  requests_.push_back(request);
  FakeReply reply;
  if (method == "/annals.v1.HistoryService/DescribeExecution") {
    reply.body = DescriptionBytes("e");
    return reply;
  }
  g_assert(method == "/annals.v1.HistoryService/ListExecutions");
  Annals__V1__ListExecutionsRequest *message = annals__v1__list_executions_request__unpack(
      nullptr, request.size(), reinterpret_cast<const uint8_t *>(request.data()));
  g_assert(message != nullptr);
  int i = message->next_token[0] == '\0' ? 0 : std::stoi(message->next_token);
  int end = std::min(count_, i + (message->max_results == 0 ? 100 : message->max_results));
  annals__v1__list_executions_request__free_unpacked(message, nullptr);
  for (; i < end; i++) {
    reply.body += Frame(1, ItemBytes("e" + std::to_string(count_ - 1 - i), count_ - 1 - i));
  }
  if (end < count_) {
    reply.body += Frame(2, std::to_string(end));
  }
  return reply;
}

std::vector<std::string> FakeExecutions::requests() {
  std::lock_guard<std::mutex> lock(mutex_);
  return requests_;
}

FakeReply FakeHistories::operator()(const std::string &method, const std::string &request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!next_replies_.empty()) {
    FakeReply reply = next_replies_.front();
    next_replies_.pop_front();
    return reply;
  }
  if (method == "/annals.v1.HistoryService/AppendHistoryEvents") {
    return Append(request);
  }
  g_assert(method == "/annals.v1.HistoryService/GetExecutionHistory");
  return Page(request);
}

void FakeHistories::ReplyNext(const FakeReply &reply) {
  std::lock_guard<std::mutex> lock(mutex_);
  next_replies_.push_back(reply);
}

void FakeHistories::Set(const std::string &arn, const std::vector<std::string> &events) {
  std::lock_guard<std::mutex> lock(mutex_);
  histories_[arn] = events;
}

std::vector<std::string> FakeHistories::Get(const std::string &arn) {
  std::lock_guard<std::mutex> lock(mutex_);
  return histories_.count(arn) != 0 ? histories_[arn] : std::vector<std::string>();
}

size_t FakeHistories::Count() {
  std::lock_guard<std::mutex> lock(mutex_);
  return histories_.size();
}

std::vector<int> FakeHistories::append_counts() {
  std::lock_guard<std::mutex> lock(mutex_);
  return append_counts_;
}

size_t FakeHistories::page_calls() {
  std::lock_guard<std::mutex> lock(mutex_);
  return page_calls_;
}

FakeReply FakeHistories::Append(const std::string &request) {
  const uint8_t *data = reinterpret_cast<const uint8_t *>(request.data());
  struct annals_wire_reader reader = {data, data + request.size()};
  struct annals_wire_field field;
  std::string arn;
  std::vector<std::string> events;
  while (annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD) {
    std::string bytes(reinterpret_cast<const char *>(field.bytes), field.size);
    if (field.number == 1) {
      arn = bytes;
    } else if (field.number == 2) {
      events.push_back(bytes);
    }
  }
  append_counts_.push_back(static_cast<int>(events.size()));
  std::vector<std::string> &history = histories_[arn];
  Annals__V1__AppendHistoryEventsResponse response =
      ANNALS__V1__APPEND_HISTORY_EVENTS_RESPONSE__INIT;
  for (const std::string &event : events) {
    size_t id = static_cast<size_t>(IdOf(event));
    std::string expected = std::to_string(history.size() + 1);
    if (id > history.size() + 1) {
      return {9, "event " + expected + " is next",
              StatusDetails("EVENT_GAP", {{"expected_event_id", expected}})};
    }
    if (id == history.size() + 1) {
      history.push_back(event);
      response.appended_count++;
    } else if (history[id - 1] == event) {
      response.already_stored_count++;
    } else {
      return {6, "another event is stored under id " + std::to_string(id),
              StatusDetails("EVENT_CONFLICT", {})};
    }
  }
  response.last_event_id = static_cast<int64_t>(history.size());
  FakeReply reply;
  reply.body = Pack(response);
  return reply;
}

FakeReply FakeHistories::Page(const std::string &request) {
  Annals__V1__GetExecutionHistoryRequest *message =
      annals__v1__get_execution_history_request__unpack(
          nullptr, request.size(), reinterpret_cast<const uint8_t *>(request.data()));
  g_assert(message != nullptr);
  page_calls_++;
  std::string arn = message->execution_arn;
  std::string token = message->next_token;
  size_t from = token.empty() ? 0 : std::stoul(token);
  size_t max = message->max_results == 0 ? 100 : static_cast<size_t>(message->max_results);
  bool reverse = message->reverse_order != 0;
  annals__v1__get_execution_history_request__free_unpacked(message, nullptr);
  if (histories_.count(arn) == 0) {
    return {5, "Execution Does Not Exist: '" + arn + "'",
            StatusDetails("EXECUTION_DOES_NOT_EXIST", {{"execution_arn", arn}})};
  }
  std::vector<std::string> events = histories_[arn];
  if (reverse) {
    events = std::vector<std::string>(events.rbegin(), events.rend());
  }
  FakeReply reply;
  size_t i = from;
  for (; i < events.size() && i < from + max; i++) {
    reply.body += Frame(1, events[i]);
  }
  if (i < events.size()) {
    reply.body += Frame(2, std::to_string(i));
  }
  return reply;
}

}  // namespace annals
