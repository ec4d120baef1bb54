#include "tests/gateway/gateway_fixture.h"

#include <unistd.h>

#include <cstring>
#include <vector>

#include "server/history/append.h"
#include "server/history/page.h"
#include "server/ops/listen.h"

namespace {

/* Protobuf, by hand: what it takes for four kinds of events. */
std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) {
    out += static_cast<char>(value | 0x80);
  }
  return out + static_cast<char>(value);
}

std::string number(uint32_t field, uint64_t value) {
  return varint(field << 3) + varint(value);
}

std::string bytes(uint32_t field, const std::string &value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}

std::string event_bytes(int id, int type, uint32_t details_field, const std::string &details) {
  std::string timestamp = number(1, 1600000000) + number(2, static_cast<uint64_t>(id) * 10000000);
  return bytes(1, timestamp) + number(2, static_cast<uint64_t>(type)) +
         number(3, static_cast<uint64_t>(id)) +
         (id > 1 ? number(4, static_cast<uint64_t>(id - 1)) : "") + bytes(details_field, details);
}

enum { EXECUTION_STARTED = 11, EXECUTION_SUCCEEDED = 12, PASS_STATE_ENTERED = 38 };
enum {
  STATE_ENTERED_DETAILS = 5,
  EXECUTION_STARTED_DETAILS = 31,
  EXECUTION_SUCCEEDED_DETAILS = 32
};

std::string nth_event(int id, int count, size_t payload_bytes) {
  std::string input =
      payload_bytes > 0 ? std::string(payload_bytes, '\x01') : "\"" + std::to_string(id) + "\"";
  if (id == 1) {
    return event_bytes(id, EXECUTION_STARTED, EXECUTION_STARTED_DETAILS, bytes(1, "{}"));
  }
  if (id == count) {
    return event_bytes(id, EXECUTION_SUCCEEDED, EXECUTION_SUCCEEDED_DETAILS, bytes(1, "{}"));
  }
  return event_bytes(id, PASS_STATE_ENTERED, STATE_ENTERED_DETAILS,
                     bytes(1, "S" + std::to_string(id)) + bytes(2, input));
}

int64_t now(void *context) {
  return *static_cast<int64_t *>(context);
}

}  // namespace

void GatewayFixture::append(const char *arn, int event_count, size_t payload_bytes) {
  std::vector<std::string> events;
  std::vector<annals_event_bytes> views;
  for (int id = 1; id <= event_count; id++) {
    events.push_back(nth_event(id, event_count, payload_bytes));
  }
  for (const std::string &each : events) {
    views.push_back({reinterpret_cast<const uint8_t *>(each.data()), each.size()});
  }
  annals_append append = {};
  append.request.execution_arn = arn;
  append.request.events = views.data();
  append.request.event_count = views.size();
  append.request.state_machine_arn = "";
  append.request.map_run_arn = "";
  append.request.trace_header = "";
  ASSERT_EQ(annals_append_run(history_, &append), ANNALS_DONE);
  ASSERT_EQ(append.error, nullptr) << append.error->message;
  annals_append_clear(&append);
}

void GatewayFixture::SetUp() {
  key_path_ = testing::TempDir() + "/token.key";
  key_ = annals_token_key_load_or_create(key_path_.c_str(), nullptr);
  ASSERT_NE(key_, nullptr);
  schema_ = annals_schema_new();
  struct annals_history_options options = {};
  options.store = store_.get();
  options.schema = schema_;
  options.token_key = key_;
  options.page_token_ttl_s = 86400;
  options.page_bytes_max = ANNALS_PAGE_BUFFER_BYTES_MAX;
  options.now_us = now;
  options.now_context = &now_us_;
  history_ = annals_history_new(&options);
  append(kArn, 5, 0);
  append(kBigArn, 40, 65536);
  start({});
}

void GatewayFixture::TearDown() {
  annals_gateway_free(gateway_);
  annals_history_free(history_);
  annals_schema_free(schema_);
  annals_token_key_free(key_);
  unlink(key_path_.c_str());
}

void GatewayFixture::start(annals_gateway_options options) {
  annals_gateway_free(gateway_);
  gateway_ = nullptr;
  annals_listen_address *address = nullptr;
  ASSERT_TRUE(annals_listen_address_parse("127.0.0.1:0", &address, nullptr));
  g_autofree char *bound = nullptr;
  ASSERT_TRUE(annals_listen_open(address, &options.listen_socket, &bound, nullptr));
  annals_listen_address_free(address);
  port_ = std::stoi(strrchr(bound, ':') + 1);
  options.history = history_;
  ASSERT_TRUE(annals_gateway_start(&options, &gateway_, nullptr));
}

std::string GatewayFixture::request(const std::string &body, const std::string &extra,
                                    const std::string &operation) {
  return "POST / HTTP/1.1\r\nHost: localhost\r\n"
         "X-Amz-Target: AWSStepFunctions." +
         operation +
         "\r\n"
         "Content-Type: application/x-amz-json-1.0\r\n"
         "Authorization: AWS4-HMAC-SHA256 Credential=x\r\n" +
         extra + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string GatewayFixture::ask(const std::string &body, const std::string &operation) {
  HttpClient client(port_);
  client.send(request(body, "", operation));
  return client.receive();
}

std::string GatewayFixture::answer(const std::string &status, const std::string &body,
                                   const std::string &extra) {
  return "HTTP/1.1 " + status + "\r\nDate: D\r\n" + extra +
         "Content-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: U\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string GatewayFixture::error(const std::string &type, const std::string &message) {
  return "{\"__type\":\"" + type + "\",\"message\":\"" + message + "\"}";
}

std::string GatewayFixture::event(int id, bool data) {
  const std::string n = std::to_string(id);
  std::string type = id == 1   ? "ExecutionStarted"
                     : id == 5 ? "ExecutionSucceeded"
                               : "PassStateEntered";
  std::string details;
  if (id == 1) {
    details =
        "\"executionStartedEventDetails\":{" + std::string(data ? "\"input\":\"{}\"" : "") + "}";
  } else if (id == 5) {
    details =
        "\"executionSucceededEventDetails\":{" + std::string(data ? "\"output\":\"{}\"" : "") + "}";
  } else {
    details = "\"stateEnteredEventDetails\":{\"name\":\"S" + n + "\"" +
              (data ? ",\"input\":\"\\\"" + n + "\\\"\"" : "") + "}";
  }
  return "{\"timestamp\":1600000000.0" + n + ",\"type\":\"" + type + "\",\"id\":" + n +
         ",\"previousEventId\":" + std::to_string(id - 1) + "," + details + "}";
}
