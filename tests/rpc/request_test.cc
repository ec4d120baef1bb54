#include "server/rpc/request.h"

#include <gtest/gtest.h>

#include "server/history/error.h"
#include "tests/rpc/messages.h"

namespace annals_test {
namespace {

const uint8_t *Data(const std::string &bytes) {
  return reinterpret_cast<const uint8_t *>(bytes.data());
}

// A request that is read, and cleared with the object.
struct AppendRead {
  explicit AppendRead(std::string message) : bytes(std::move(message)) {
    ok = annals_rpc_append_request_read(Data(bytes), bytes.size(), &request, &error);
  }
  ~AppendRead() {
    annals_rpc_append_request_clear(&request);
    g_clear_error(&error);
  }
  std::string bytes;
  annals_rpc_append_request request;
  GError *error = nullptr;
  bool ok;
};

struct PageRead {
  explicit PageRead(std::string message) : bytes(std::move(message)) {
    ok = annals_rpc_page_request_read(Data(bytes), bytes.size(), &request, &error);
  }
  ~PageRead() {
    annals_rpc_page_request_clear(&request);
    g_clear_error(&error);
  }
  std::string bytes;
  annals_rpc_page_request request;
  GError *error = nullptr;
  bool ok;
};

struct DescribeRead {
  explicit DescribeRead(std::string message) : bytes(std::move(message)) {
    ok = annals_rpc_describe_request_read(Data(bytes), bytes.size(), &request, &error);
  }
  ~DescribeRead() {
    annals_rpc_describe_request_clear(&request);
    g_clear_error(&error);
  }
  std::string bytes;
  annals_rpc_describe_request request;
  GError *error = nullptr;
  bool ok;
};

struct ListRead {
  explicit ListRead(std::string message) : bytes(std::move(message)) {
    ok = annals_rpc_list_request_read(Data(bytes), bytes.size(), &request, &error);
  }
  ~ListRead() {
    annals_rpc_list_request_clear(&request);
    g_clear_error(&error);
  }
  std::string bytes;
  annals_rpc_list_request request;
  GError *error = nullptr;
  bool ok;
};

// Reads a message that must be refused, and checks how.
template <typename Read>
void ExpectRefused(const std::string &message, const std::string &field, const std::string &text) {
  SCOPED_TRACE(field + " " + text);
  Read read(message);
  ASSERT_FALSE(read.ok);
  EXPECT_EQ(read.error->domain, ANNALS_ERROR);
  EXPECT_EQ(read.error->code, ANNALS_REASON_INVALID_REQUEST);
  EXPECT_EQ(read.error->message, field + " " + text);
  EXPECT_STREQ(annals_error_metadata_value(read.error, "field"), field.c_str());
  const GPtrArray *violations = annals_error_violations(read.error);
  ASSERT_EQ(violations->len, 1u);
  const auto *violation = static_cast<const annals_violation *>(violations->pdata[0]);
  EXPECT_EQ(violation->field, field);
  EXPECT_EQ(violation->constraint, text);
}

TEST(AppendRequestRead, GivesEmptyValuesForAnEmptyMessage) {
  AppendRead read("");
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.request.execution_arn, "");
  EXPECT_EQ(read.request.events->len, 0u);
  EXPECT_STREQ(read.request.state_machine_arn, "");
  EXPECT_STREQ(read.request.map_run_arn, "");
  EXPECT_EQ(read.request.item_count, 0);
  EXPECT_STREQ(read.request.trace_header, "");
}

TEST(AppendRequestRead, TakesNoBytesAtAll) {
  annals_rpc_append_request request;
  EXPECT_TRUE(annals_rpc_append_request_read(nullptr, 0, &request, nullptr));
  annals_rpc_append_request_clear(&request);
}

TEST(AppendRequestRead, TakesEveryField) {
  AppendRequest message;
  message.arn = "an arn";
  message.events = {"one", "", "three"};
  message.state_machine_arn = "a machine";
  message.map_run_arn = "a map run, \xc3\xa9";
  message.item_count = 2147483647;
  message.trace_header = "Root=1";
  AppendRead read(message.Bytes());
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.request.execution_arn, "an arn");
  EXPECT_STREQ(read.request.state_machine_arn, "a machine");
  EXPECT_STREQ(read.request.map_run_arn, "a map run, \xc3\xa9");
  EXPECT_EQ(read.request.item_count, 2147483647);
  EXPECT_STREQ(read.request.trace_header, "Root=1");
  ASSERT_EQ(read.request.events->len, 3u);
  for (guint i = 0; i < 3; i++) {
    const auto &event = g_array_index(read.request.events, annals_event_bytes, i);
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(event.bytes), event.size),
              message.events[i]);
  }
}

TEST(AppendRequestRead, TakesTheLastOfAFieldGivenTwice) {
  AppendRead read(BytesField(1, "a") + IntField(5, 1) + BytesField(2, "x") + BytesField(1, "b") +
                  IntField(5, -7));
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.request.execution_arn, "b");
  EXPECT_EQ(read.request.item_count, -7);
  EXPECT_EQ(read.request.events->len, 1u);
}

TEST(AppendRequestRead, CutsAnInt32ToItsLow32BitsAsProtobufDoes) {
  AppendRead read(IntField(5, (int64_t{1} << 32) + 5));
  ASSERT_TRUE(read.ok);
  EXPECT_EQ(read.request.item_count, 5);
}

TEST(AppendRequestRead, KeepsOneEventMoreThanAllowedAtMost) {
  for (int count : {1000, 1001, 1002, 17000}) {
    std::string message;
    for (int i = 0; i < count; i++) {
      message += BytesField(2, "");
    }
    AppendRead read(message);
    ASSERT_TRUE(read.ok);
    EXPECT_EQ(read.request.events->len, static_cast<guint>(std::min(count, 1001)));
  }
}

TEST(AppendRequestRead, RefusesWrongWireTypes) {
  const char *names[] = {"execution_arn", "events",     "state_machine_arn",
                         "map_run_arn",   "item_count", "trace_header"};
  for (uint32_t number = 1; number <= 6; number++) {
    const std::string varint = number == 5 ? BytesField(5, "1") : IntField(number, 1);
    const std::string fixed64 = Tag(number, 1) + std::string(8, 'a');
    const std::string fixed32 = Tag(number, 5) + std::string(4, 'a');
    for (const std::string &message : {varint, fixed64, fixed32}) {
      ExpectRefused<AppendRead>(message, names[number - 1], "has the wrong wire type");
    }
  }
}

TEST(AppendRequestRead, RefusesUnknownFields) {
  ExpectRefused<AppendRead>(IntField(8, 1), "request", "has an unknown field 8");
  ExpectRefused<AppendRead>(IntField(7, 1), "encryption_configuration", "has the wrong wire type");
  ExpectRefused<AppendRead>(BytesField(1, "a") + BytesField(536870911, ""), "request",
                            "has an unknown field 536870911");
}

TEST(AppendRequestRead, RefusesTextThatIsNone) {
  const std::string nul("a\0b", 3);
  const std::pair<uint32_t, const char *> fields[] = {
      {1, "execution_arn"}, {3, "state_machine_arn"}, {4, "map_run_arn"}, {6, "trace_header"}};
  for (const auto &[number, name] : fields) {
    ExpectRefused<AppendRead>(BytesField(number, nul), name, "holds a NUL character");
    ExpectRefused<AppendRead>(BytesField(number, "\xff"), name, "is not valid UTF-8");
    ExpectRefused<AppendRead>(BytesField(number, "\xed\xa0\x80"), name, "is not valid UTF-8");
    ExpectRefused<AppendRead>(BytesField(number, "\xc0\x80"), name, "is not valid UTF-8");
  }
}

const std::vector<std::string> &Malformed() {
  static const std::vector<std::string> messages = {
      std::string("\x00", 1),  // field number 0
      "\x0a",                  // no length
      "\x0a\x02"
      "a",                               // cut off
      "\x0b",                            // a group
      "\x0c",                            // a group's end
      "\x0e",                            // a wire type that is none
      "\x80",                            // half a tag
      "\x28\x80",                        // half a varint
      "\x28" + std::string(10, '\xff'),  // a varint of more than 64 bits
      "\x0d"
      "abc",  // half a fixed32
      "\x09"
      "abcdefg",                                       // half a fixed64
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  // a length beyond everything
      "\x80\x80\x80\x80\x80\x01",                      // a field number beyond 2^29 - 1
  };
  return messages;
}

TEST(AppendRequestRead, RefusesMalformedBytes) {
  for (const std::string &bytes : Malformed()) {
    ExpectRefused<AppendRead>(BytesField(1, "a") + bytes, "request", "is not valid protobuf");
  }
}

TEST(PageRequestRead, GivesDefaultsForAnEmptyMessage) {
  PageRead read("");
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.request.execution_arn, "");
  EXPECT_EQ(read.request.max_results, 0);
  EXPECT_EQ(read.request.next_token, nullptr);
  EXPECT_FALSE(read.request.reverse_order);
  EXPECT_TRUE(read.request.include_execution_data);
}

TEST(PageRequestRead, TakesEveryField) {
  PageRequest message;
  message.arn = "an arn";
  message.max_results = -1;
  message.next_token = "a token";
  message.reverse = true;
  message.with_data = false;
  PageRead read(message.Bytes());
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.request.execution_arn, "an arn");
  EXPECT_EQ(read.request.max_results, -1);
  EXPECT_STREQ(read.request.next_token, "a token");
  EXPECT_TRUE(read.request.reverse_order);
  EXPECT_FALSE(read.request.include_execution_data);
}

TEST(PageRequestRead, TakesAnEmptyTokenAsAbsent) {
  PageRead read(BytesField(3, "a token") + BytesField(3, ""));
  ASSERT_TRUE(read.ok);
  EXPECT_EQ(read.request.next_token, nullptr);
}

TEST(PageRequestRead, IgnoresUnknownFields) {
  PageRead read(IntField(6, 1) + Tag(99, 1) + std::string(8, 'a') + BytesField(1, "a") +
                BytesField(5, IntField(1, 1) + BytesField(2, "x")) + BytesField(1000, "\xff"));
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.request.execution_arn, "a");
  EXPECT_TRUE(read.request.include_execution_data);
}

TEST(PageRequestRead, MergesABoolValueGivenInParts) {
  const std::string yes = BytesField(5, IntField(1, 1));
  const std::string no = BytesField(5, IntField(1, 0));
  const std::string empty = BytesField(5, "");
  const std::pair<std::string, bool> cases[] = {
      {"", true},
      {empty, false},
      {no, false},
      {yes, true},
      {yes + no, false},
      {no + yes, true},
      {yes + empty, true},
      {empty + yes, true},
      {no + empty, false},
      {BytesField(5, IntField(1, 1) + IntField(1, 0)), false},
      {BytesField(5, IntField(1, 1 << 20)), true}};
  for (const auto &[message, expected] : cases) {
    PageRead read(message);
    ASSERT_TRUE(read.ok);
    EXPECT_EQ(read.request.include_execution_data, expected);
  }
}

TEST(PageRequestRead, RefusesWrongWireTypes) {
  const char *wrong = "has the wrong wire type";
  ExpectRefused<PageRead>(IntField(1, 1), "execution_arn", wrong);
  ExpectRefused<PageRead>(BytesField(2, "a"), "max_results", wrong);
  ExpectRefused<PageRead>(Tag(3, 5) + "abcd", "next_token", wrong);
  ExpectRefused<PageRead>(BytesField(4, "\x01"), "reverse_order", wrong);
  ExpectRefused<PageRead>(IntField(5, 1), "include_execution_data", wrong);
  ExpectRefused<PageRead>(BytesField(5, BytesField(1, "a")), "include_execution_data", wrong);
}

TEST(PageRequestRead, RefusesTextThatIsNone) {
  const std::string nul("\0", 1);
  ExpectRefused<PageRead>(BytesField(1, nul), "execution_arn", "holds a NUL character");
  ExpectRefused<PageRead>(BytesField(3, nul), "next_token", "holds a NUL character");
  ExpectRefused<PageRead>(BytesField(1, "\xfe"), "execution_arn", "is not valid UTF-8");
  ExpectRefused<PageRead>(BytesField(3, "a\xc3"), "next_token", "is not valid UTF-8");
}

TEST(PageRequestRead, RefusesMalformedBytes) {
  for (const std::string &bytes : Malformed()) {
    ExpectRefused<PageRead>(BytesField(1, "a") + bytes, "request", "is not valid protobuf");
    ExpectRefused<PageRead>(BytesField(5, bytes), "include_execution_data",
                            "is not valid protobuf");
  }
}

TEST(DescribeRequestRead, NamesEnums) {
  const std::pair<int64_t, const char *> cases[] = {
      {0, nullptr}, {1, "ALL_DATA"}, {2, "METADATA_ONLY"}, {3, "3"}, {-1, "-1"}};
  for (const auto &[number, name] : cases) {
    DescribeRead read(BytesField(1, "a") + IntField(2, number) + IntField(3, 1));
    ASSERT_TRUE(read.ok);
    EXPECT_STREQ(read.request.execution_arn, "a");
    EXPECT_STREQ(read.request.included_data, name);
  }
  DescribeRead last(IntField(2, 2) + IntField(2, 0));
  ASSERT_TRUE(last.ok);
  EXPECT_STREQ(last.request.execution_arn, "");
  EXPECT_EQ(last.request.included_data, nullptr);
}

TEST(DescribeRequestRead, Refuses) {
  const char *wrong = "has the wrong wire type";
  ExpectRefused<DescribeRead>(IntField(1, 1), "execution_arn", wrong);
  ExpectRefused<DescribeRead>(BytesField(2, "a"), "included_data", wrong);
  ExpectRefused<DescribeRead>(BytesField(1, "\xff"), "execution_arn", "is not valid UTF-8");
  for (const std::string &bytes : Malformed()) {
    ExpectRefused<DescribeRead>(BytesField(1, "a") + bytes, "request", "is not valid protobuf");
  }
}

TEST(ListRequestRead, TakesEveryField) {
  ListRead read(BytesField(1, "m") + IntField(2, 6) + IntField(3, -1) + BytesField(4, "t") +
                BytesField(5, "r") + IntField(6, 2) + BytesField(7, "?"));
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.request.state_machine_arn, "m");
  EXPECT_STREQ(read.request.status_filter, "PENDING_REDRIVE");
  EXPECT_EQ(read.request.max_results, -1);
  EXPECT_STREQ(read.request.next_token, "t");
  EXPECT_STREQ(read.request.map_run_arn, "r");
  EXPECT_STREQ(read.request.redrive_filter, "NOT_REDRIVEN");
}

TEST(ListRequestRead, TakesWhatIsEmptyAsAbsent) {
  ListRead read(BytesField(1, "") + IntField(2, 0) + BytesField(4, "") + BytesField(5, "") +
                IntField(6, 0));
  ASSERT_TRUE(read.ok);
  EXPECT_EQ(read.request.state_machine_arn, nullptr);
  EXPECT_EQ(read.request.status_filter, nullptr);
  EXPECT_EQ(read.request.max_results, 0);
  EXPECT_EQ(read.request.next_token, nullptr);
  EXPECT_EQ(read.request.map_run_arn, nullptr);
  EXPECT_EQ(read.request.redrive_filter, nullptr);
}

TEST(ListRequestRead, Refuses) {
  const char *wrong = "has the wrong wire type";
  ExpectRefused<ListRead>(IntField(1, 1), "state_machine_arn", wrong);
  ExpectRefused<ListRead>(BytesField(2, "RUNNING"), "status_filter", wrong);
  ExpectRefused<ListRead>(BytesField(3, "1"), "max_results", wrong);
  ExpectRefused<ListRead>(IntField(4, 1), "next_token", wrong);
  ExpectRefused<ListRead>(IntField(5, 1), "map_run_arn", wrong);
  ExpectRefused<ListRead>(BytesField(6, "x"), "redrive_filter", wrong);
  ExpectRefused<ListRead>(BytesField(5, std::string(1, '\0')), "map_run_arn",
                          "holds a NUL character");
  for (const std::string &bytes : Malformed()) {
    ExpectRefused<ListRead>(BytesField(1, "a") + bytes, "request", "is not valid protobuf");
  }
}

}  // namespace
}  // namespace annals_test
