#include <gtest/gtest.h>

#include <cstring>

#include "tests/proto/codec_test_support.h"

namespace {

using namespace annals_test;

const std::string kHead = Int(kEventType, kPassStateEntered) + Int(kEventId, 2);
const char kHeadJson[] = "\"type\":\"PassStateEntered\",\"id\":2,\"previousEventId\":0";

std::string WithTimestamp(const Schema &schema, int64_t seconds, int32_t nanos) {
  std::string json = Json(schema, Timestamp(seconds, nanos) + kHead);
  std::string prefix = "{\"timestamp\":";
  EXPECT_EQ(json.substr(0, prefix.size()), prefix);
  size_t end = json.find(',');
  EXPECT_EQ(json.substr(end), std::string(",") + kHeadJson + "}");
  return json.substr(prefix.size(), end - prefix.size());
}

TEST(AwsJson, WritesTimestampsWithUpToThreeDecimals) {
  Schema schema;
  EXPECT_EQ(WithTimestamp(schema, 1525283875, 580000000), "1525283875.58");
  EXPECT_EQ(WithTimestamp(schema, 1525283875, 612000000), "1525283875.612");
  EXPECT_EQ(WithTimestamp(schema, 1525283875, 0), "1525283875");
  EXPECT_EQ(WithTimestamp(schema, 1525283870, 0), "1525283870");
  EXPECT_EQ(WithTimestamp(schema, 1525283875, 1000000), "1525283875.001");
  EXPECT_EQ(WithTimestamp(schema, 1525283875, 999999999), "1525283875.999");
  EXPECT_EQ(WithTimestamp(schema, 1525283875, 999999), "1525283875");
  EXPECT_EQ(WithTimestamp(schema, 0, 0), "0");
  for (int64_t seconds : {1, 9, 10, 11, 99, 100, 101, 999, 1000, 9999, 10000}) {
    EXPECT_EQ(WithTimestamp(schema, seconds, 0), std::to_string(seconds));
  }
  EXPECT_EQ(WithTimestamp(schema, 253402300799, 999000000), "253402300799.999");
}

std::string WithExactTimestamp(const Schema &schema, int64_t seconds, int32_t nanos) {
  annals_buffer out;
  annals_buffer_init(&out, 1 << 20);
  std::string event = Timestamp(seconds, nanos) + kHead;
  EXPECT_TRUE(annals_aws_json_append_exact_event(
      schema.get(), reinterpret_cast<const uint8_t *>(event.data()), event.size(), &out));
  std::string json(reinterpret_cast<char *>(out.data), out.len);
  annals_buffer_clear(&out);
  return json.substr(13, json.find(",\"type") - 13);
}

TEST(AwsJson, WritesTimestampsInFullOnRequest) {
  Schema schema;
  EXPECT_EQ(WithExactTimestamp(schema, 1525283875, 0), "1525283875");
  EXPECT_EQ(WithExactTimestamp(schema, 1525283875, 580000000), "1525283875.58");
  EXPECT_EQ(WithExactTimestamp(schema, 1525283875, 580001000), "1525283875.580001");
  EXPECT_EQ(WithExactTimestamp(schema, 1525283875, 10000), "1525283875.00001");
  EXPECT_EQ(WithExactTimestamp(schema, 1525283875, 580000001),
            "\"2018-05-02T17:57:55.580000001Z\"");
  EXPECT_EQ(WithExactTimestamp(schema, 0, 1), "\"1970-01-01T00:00:00.000000001Z\"");
  EXPECT_EQ(WithExactTimestamp(schema, 4294967295, 999999000), "4294967295.999999");
  EXPECT_EQ(WithExactTimestamp(schema, 4294967296, 1000), "\"2106-02-07T06:28:16.000001Z\"");
  EXPECT_EQ(WithExactTimestamp(schema, 253402300799, 999000000), "253402300799.999");
  EXPECT_EQ(WithExactTimestamp(schema, 253402300799, 999999999),
            "\"9999-12-31T23:59:59.999999999Z\"");
}

TEST(AwsJson, WritesMembersThatTheModelRequiresAlsoWhenEmpty) {
  Schema schema;
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + Int(kEventType, kTaskScheduled) + Int(kEventId, 2) +
                             Bytes(kTaskScheduledDetails, "")),
            "{\"timestamp\":1,\"type\":\"TaskScheduled\",\"id\":2,\"previousEventId\":0,"
            "\"taskScheduledEventDetails\":{\"resourceType\":\"\",\"resource\":\"\",\"region\":"
            "\"\",\"parameters\":\"\"}}");
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + kHead +
                             Bytes(kStateEnteredDetails, Bytes(1, "S") + Bytes(3, ""))),
            std::string("{\"timestamp\":1,") + kHeadJson +
                ",\"stateEnteredEventDetails\":{\"name\":\"S\",\"inputDetails\":{\"truncated\":"
                "false}}}");
}

TEST(AwsJson, KeepsDetailsThatArePresentAndEmpty) {
  Schema schema;
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + Int(kEventType, 9) + Int(kEventId, 2) + Bytes(33, "")),
            "{\"timestamp\":1,\"type\":\"ExecutionAborted\",\"id\":2,\"previousEventId\":0,"
            "\"executionAbortedEventDetails\":{}}");
}

TEST(AwsJson, LeavesExecutionDataOutOnRequest) {
  Schema schema;
  std::string scheduled =
      Timestamp(1, 0) + Int(kEventType, kTaskScheduled) + Int(kEventId, 2) +
      Bytes(kTaskScheduledDetails, Bytes(1, "lambda") + Bytes(2, "invoke") + Bytes(3, "us-east-1") +
                                       Bytes(4, "{\"secret\":1}") + Int(5, 60));
  EXPECT_EQ(Json(schema, scheduled, false),
            "{\"timestamp\":1,\"type\":\"TaskScheduled\",\"id\":2,\"previousEventId\":0,"
            "\"taskScheduledEventDetails\":{\"resourceType\":\"lambda\",\"resource\":\"invoke\","
            "\"region\":\"us-east-1\",\"parameters\":\"\",\"timeoutInSeconds\":60}}");
  std::string exited =
      Timestamp(1, 0) + Int(kEventType, kPassStateExited) + Int(kEventId, 2) +
      Bytes(kStateExitedDetails, Bytes(1, "S") + Bytes(2, "{}") + Bytes(3, "") +
                                     Bytes(4, Bytes(1, "a") + Bytes(2, "1")) + Bytes(5, ""));
  EXPECT_EQ(Json(schema, exited, false),
            "{\"timestamp\":1,\"type\":\"PassStateExited\",\"id\":2,\"previousEventId\":0,"
            "\"stateExitedEventDetails\":{\"name\":\"S\"}}");
}

TEST(AwsJson, WritesAMapAsAnObject) {
  Schema schema;
  std::string exited =
      Timestamp(1, 0) + Int(kEventType, kPassStateExited) + Int(kEventId, 2) +
      Bytes(kStateExitedDetails, Bytes(1, "S") + Bytes(4, Bytes(2, "0")) +
                                     Bytes(4, Bytes(1, "a") + Bytes(2, "1")) +
                                     Bytes(4, Bytes(1, "b")) + Bytes(5, Int(1, 1)));
  EXPECT_EQ(Json(schema, exited),
            "{\"timestamp\":1,\"type\":\"PassStateExited\",\"id\":2,\"previousEventId\":0,"
            "\"stateExitedEventDetails\":{\"name\":\"S\",\"assignedVariables\":{\"\":\"0\",\"a\":"
            "\"1\",\"b\":\"\"},\"assignedVariablesDetails\":{\"truncated\":true}}}");
}

TEST(AwsJson, EscapesWhatJsonMustHaveEscaped) {
  annals_buffer out;
  annals_buffer_init(&out, 1000);
  std::string text("\"\\/\b\f\n\r\t\x01\x1f\x7f é \xf0\x9f\x98\x80 \xe2\x80\xa8");
  annals_aws_json_append_string(&out, text.data(), text.size());
  EXPECT_EQ(std::string(reinterpret_cast<char *>(out.data), out.len),
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é \xf0\x9f\x98\x80 \xe2\x80\xa8\"");
  annals_buffer_clear(&out);
}

/* Each byte at each place of a word: words are looked at eight bytes at a time. */
TEST(AwsJson, EscapesEachByteAtEachPlace) {
  for (int byte = 0; byte < 0x80; byte++) {
    for (size_t place = 0; place < 20; place++) {
      std::string text(20, 'a');
      text[place] = static_cast<char>(byte);
      std::string escaped(1, static_cast<char>(byte));
      const char *const named = strchr("\"\"\\\\\bb\ff\nn\rr\tt", byte);
      if (byte == '"' || byte == '\\') {
        escaped = std::string("\\") + static_cast<char>(byte);
      } else if (byte < 0x20) {
        char hex[8];
        snprintf(hex, sizeof hex, "\\u%04x", byte);
        escaped = byte != 0 && named != nullptr ? std::string("\\") + named[1] : hex;
      }
      annals_buffer out;
      annals_buffer_init(&out, 1000);
      annals_aws_json_append_string(&out, text.data(), text.size());
      EXPECT_EQ(std::string(reinterpret_cast<const char *>(out.data), out.len),
                "\"" + text.substr(0, place) + escaped + text.substr(place + 1) + "\"");
      annals_buffer_clear(&out);
    }
  }
}

TEST(AwsJson, WritesNegativeAndLargeNumbers) {
  Schema schema;
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + Int(kEventType, kPassStateEntered) +
                             Int(kEventId, INT64_MAX) + Int(kEventPreviousId, INT64_MAX - 1)),
            "{\"timestamp\":1,\"type\":\"PassStateEntered\",\"id\":9223372036854775807,"
            "\"previousEventId\":9223372036854775806}");
}

TEST(AwsJson, SeesDamage) {
  Schema schema;
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + Int(kEventType, 63)), "damaged");
  EXPECT_EQ(Json(schema, Timestamp(1, 0)), "damaged"); /* no type */
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + kHead + "\x0a"), "damaged");
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + kHead + Int(77, 1)), "damaged");
  EXPECT_EQ(Json(schema, kHead + Timestamp(1, 0)), "damaged");                    /* out of order */
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + kHead + Int(kEventId, 3)), "damaged"); /* twice */
  EXPECT_EQ(
      Json(schema, Timestamp(1, 0) + Int(kEventType, kPassStateEntered) + Bytes(kEventId, "x")),
      "damaged"); /* text for a number */
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + kHead + Int(kStateEnteredDetails, 1)), "damaged");
  EXPECT_EQ(Json(schema, Timestamp(1, 0) + kHead +
                             Bytes(kStateEnteredDetails, Bytes(1, "S") + "\x12\x05" + "abc")),
            "damaged"); /* longer than what holds it */
}

/* JSON of a message, or "damaged". */
std::string MessageJson(const Schema &schema, const char *name, const std::string &bytes) {
  annals_buffer out;
  annals_buffer_init(&out, 16 << 20);
  std::string text = "damaged";
  if (annals_aws_json_append_message(annals_schema_message(schema.get(), name),
                                     reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size(),
                                     &out)) {
    text.assign(reinterpret_cast<const char *>(out.data), out.len);
  }
  annals_buffer_clear(&out);
  return text;
}

TEST(AwsJson, WritesAnExecutionWithWhatAwsAlwaysWrites) {
  Schema schema;
  EXPECT_EQ(MessageJson(schema, "ExecutionListItem",
                        Bytes(1, "a") + Bytes(2, "m") + Bytes(3, "n") + Int(4, 1) + Bytes(5, "")),
            "{\"executionArn\":\"a\",\"stateMachineArn\":\"m\",\"name\":\"n\",\"status\":"
            "\"RUNNING\",\"startDate\":0,\"redriveCount\":0}");
  EXPECT_EQ(
      MessageJson(
          schema, "ExecutionListItem",
          Bytes(1, "a") + Bytes(2, "m") + Bytes(3, "n") + Int(4, 4) + Bytes(5, Int(1, 1700000000)) +
              Bytes(6, Int(1, 1700000001) + Int(2, 120999999)) + Bytes(7, "r") + Int(8, 3) +
              Bytes(9, "m:1") + Bytes(10, "m:PROD") + Int(11, 2) + Bytes(12, Int(1, 1700000002))),
      "{\"executionArn\":\"a\",\"stateMachineArn\":\"m\",\"name\":\"n\",\"status\":"
      "\"TIMED_OUT\",\"startDate\":1700000000,\"stopDate\":1700000001.12,\"mapRunArn\":\"r\","
      "\"itemCount\":3,\"stateMachineVersionArn\":\"m:1\",\"stateMachineAliasArn\":"
      "\"m:PROD\",\"redriveCount\":2,\"redriveDate\":1700000002}");
}

TEST(AwsJson, WritesADescription) {
  Schema schema;
  EXPECT_EQ(
      MessageJson(schema, "DescribeExecutionResponse",
                  Bytes(1, "a") + Bytes(2, "m") + Bytes(3, "n") + Int(4, 2) + Bytes(5, Int(1, 1)) +
                      Bytes(6, Int(1, 2)) + Bytes(7, "{}") + Bytes(8, Int(1, 1)) +
                      Bytes(9, "\"x\"") + Bytes(10, Int(1, 1)) + Int(19, 2) + Bytes(20, "why")),
      "{\"executionArn\":\"a\",\"stateMachineArn\":\"m\",\"name\":\"n\",\"status\":"
      "\"SUCCEEDED\",\"startDate\":1,\"stopDate\":2,\"input\":\"{}\",\"inputDetails\":{"
      "\"included\":true},\"output\":\"\\\"x\\\"\",\"outputDetails\":{\"included\":true},"
      "\"redriveCount\":0,\"redriveStatus\":\"NOT_REDRIVABLE\",\"redriveStatusReason\":"
      "\"why\"}");
}

TEST(AwsJson, SeesDamageOfExecutions) {
  Schema schema;
  const std::string head = Bytes(1, "a") + Bytes(2, "m") + Bytes(3, "n");
  EXPECT_EQ(MessageJson(schema, "ExecutionListItem", head + Bytes(5, "")), "damaged");
  EXPECT_EQ(MessageJson(schema, "ExecutionListItem", head + Int(4, 7) + Bytes(5, "")), "damaged");
  EXPECT_EQ(MessageJson(schema, "ExecutionListItem", head + Int(4, 1) + Bytes(5, "") + Int(13, 1)),
            "damaged");
}

TEST(ExecutionData, IsStrippedAndTheRestStaysCanonical) {
  Schema schema;
  std::string scheduled =
      Timestamp(1, 5) + Int(kEventType, kTaskScheduled) + Int(kEventId, 2) +
      Bytes(kTaskScheduledDetails, Bytes(1, "lambda") + Bytes(2, "invoke") + Bytes(3, "us-east-1") +
                                       Bytes(4, "{\"secret\":1}") + Int(5, 60) +
                                       Bytes(7, Bytes(1, "arn:role")));
  EXPECT_EQ(Strip(schema, scheduled),
            Timestamp(1, 5) + Int(kEventType, kTaskScheduled) + Int(kEventId, 2) +
                Bytes(kTaskScheduledDetails, Bytes(1, "lambda") + Bytes(2, "invoke") +
                                                 Bytes(3, "us-east-1") + Int(5, 60) +
                                                 Bytes(7, Bytes(1, "arn:role"))));
  std::string succeeded = Int(kEventType, 12) + Bytes(32, Bytes(1, "out") + Bytes(2, ""));
  EXPECT_EQ(Strip(schema, succeeded), Int(kEventType, 12) + Bytes(32, ""));
  EXPECT_EQ(Strip(schema, Int(77, 1)), "damaged");
  EXPECT_EQ(Strip(schema, "\x0a"), "damaged");
}

}  // namespace
