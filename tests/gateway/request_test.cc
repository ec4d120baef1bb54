#include "server/gateway/request.h"

#include <gtest/gtest.h>

#include <string>

#include "server/gateway/aws_error.h"

namespace {

class Request : public testing::Test {
 protected:
  void TearDown() override {
    annals_request_clear(&request_);
    g_clear_error(&error_);
  }
  bool parse(const std::string &body) {
    annals_request_clear(&request_);
    g_clear_error(&error_);
    return annals_request_parse(&request_, body.data(), body.size(), &error_);
  }
  /* The message of the last failure; "" when it is not a SerializationException. */
  std::string message() const {
    return error_ != nullptr &&
                   g_error_matches(error_, ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_SERIALIZATION)
               ? error_->message
               : "";
  }
  /* Parses {"n":TEXT} and reads n; INT64_MIN when that fails. */
  int64_t integer(const std::string &text) {
    int64_t number = -77;
    bool ok =
        parse("{\"n\":" + text + "}") && annals_request_integer(&request_, "n", &number, &error_);
    return ok ? number : INT64_MIN;
  }

  annals_request request_ = {};
  GError *error_ = nullptr;
};

TEST_F(Request, ReadsMembers) {
  ASSERT_TRUE(parse("{\"s\":\"\\u00e9\",\"n\":7,\"yes\":true,\"no\":false,\"else\":[{}]}"));
  const char *text = nullptr;
  int64_t number = 0;
  bool yes = false;
  bool no = true;
  EXPECT_TRUE(annals_request_string(&request_, "s", &text, &error_));
  EXPECT_STREQ(text, "\xc3\xa9");
  EXPECT_TRUE(annals_request_integer(&request_, "n", &number, &error_));
  EXPECT_EQ(number, 7);
  EXPECT_TRUE(annals_request_boolean(&request_, "yes", &yes, &error_));
  EXPECT_TRUE(yes);
  EXPECT_TRUE(annals_request_boolean(&request_, "no", &no, &error_));
  EXPECT_FALSE(no);
}

TEST_F(Request, LeavesResultsAloneForNullAndAbsentMembers) {
  for (const char *body : {"{\"s\":null,\"n\":null,\"b\":null}", "{}", " {\n}\t", ""}) {
    ASSERT_TRUE(parse(body)) << body;
    const char *text = "default";
    int64_t number = 5;
    bool value = true;
    EXPECT_TRUE(annals_request_string(&request_, "s", &text, &error_));
    EXPECT_TRUE(annals_request_integer(&request_, "n", &number, &error_));
    EXPECT_TRUE(annals_request_boolean(&request_, "b", &value, &error_));
    EXPECT_STREQ(text, "default");
    EXPECT_EQ(number, 5);
    EXPECT_TRUE(value);
  }
}

TEST_F(Request, TakesTheLastOfRepeatedMembers) {
  ASSERT_TRUE(parse("{\"n\":1,\"n\":\"x\",\"n\":3}"));
  int64_t number = 0;
  EXPECT_TRUE(annals_request_integer(&request_, "n", &number, &error_));
  EXPECT_EQ(number, 3);
}

TEST_F(Request, TakesNumbersThatAreIntegers) {
  EXPECT_EQ(integer("100"), 100);
  EXPECT_EQ(integer("100.0"), 100);
  EXPECT_EQ(integer("1e2"), 100);
  EXPECT_EQ(integer("-0"), 0);
  EXPECT_EQ(integer("-1"), -1);
  EXPECT_EQ(integer("2147483647"), INT32_MAX);
  EXPECT_EQ(integer("-2147483648"), INT32_MIN);
  EXPECT_EQ(integer("100.5"), INT64_MIN);
  EXPECT_EQ(message(), "n: expected an integer, found one with decimals");
  for (const char *text : {"2147483648", "-2147483649", "9223372036854775808",
                           "99999999999999999999999999", "1e300"}) {
    EXPECT_EQ(integer(text), INT64_MIN) << text;
    EXPECT_EQ(message(), "n: expected an integer of 32 bits");
  }
}

TEST_F(Request, IgnoresHugeNumbersInMembersNobodyAsksFor) {
  const std::string digits(400, '9');
  for (const std::string &number :
       {std::string("99999999999999999999999999"), std::string("1E400"), std::string("-1e+400"),
        std::string("1.5e309"), std::string("1e308"), std::string("1e-400"),
        std::string("1e99999999999999999999"), digits, "-" + digits + ".5", digits + "E9"}) {
    EXPECT_TRUE(parse("{\"else\":[" + number + "],\"n\":7}")) << number << ": " << message();
    EXPECT_EQ(integer("7, \"else\": " + number), 7);
    EXPECT_EQ(integer(number), number == "1e-400" ? 0 : INT64_MIN) << number;
    if (number != "1e-400") {
      EXPECT_EQ(message(), "n: expected an integer of 32 bits");
    }
    const char *text = nullptr;
    ASSERT_TRUE(parse("{\"s\":" + number + "}"));
    EXPECT_FALSE(annals_request_string(&request_, "s", &text, &error_));
    EXPECT_EQ(message(), "s: expected a string, found a number");
  }
  const char *text = nullptr;
  ASSERT_TRUE(parse("{\"a\":1e400,\"s\":\"\\\"1e400\"}"));
  EXPECT_TRUE(annals_request_string(&request_, "s", &text, &error_));
  EXPECT_STREQ(text, "\"1e400");
}

TEST_F(Request, RefusesHugeNumbersThatAreNone) {
  for (const char *number :
       {"01e400", "1e400.5", "1.e400", "1e400e1", "1e400x", "--1e400", "+1e400", "1e400 2", "e400",
        ".1e400", "1e400-1", "0x1e400", "1e4001e400", "1e40\"0", "0x1p9999"}) {
    EXPECT_FALSE(parse(std::string("{\"a\":") + number + "}")) << number;
    EXPECT_EQ(message().rfind("line 1, column ", 0), 0u) << number << ": " << message();
  }
  /* Each digit could begin a number: looked at once for each, they would take minutes. */
  EXPECT_FALSE(parse("{\"a\":" + std::string(1 << 20, '0') + "}"));
  EXPECT_FALSE(parse("1e400"));
  EXPECT_FALSE(parse("{\"a\":1e400"));
}

TEST_F(Request, NamesMembersOfTheWrongType) {
  ASSERT_TRUE(parse("{\"s\":1,\"n\":\"1\",\"b\":0,\"o\":{},\"a\":[],\"t\":true,\"r\":1.5}"));
  const char *text = nullptr;
  int64_t number = 0;
  bool value = false;
  const struct {
    const char *member;
    const char *message;
  } strings[] = {
      {"s", "s: expected a string, found a number"},
      {"o", "o: expected a string, found an object"},
      {"a", "a: expected a string, found an array"},
      {"t", "t: expected a string, found a boolean"},
  };
  for (const auto &each : strings) {
    EXPECT_FALSE(annals_request_string(&request_, each.member, &text, &error_));
    EXPECT_EQ(message(), each.message);
    g_clear_error(&error_);
  }
  EXPECT_FALSE(annals_request_integer(&request_, "n", &number, &error_));
  EXPECT_EQ(message(), "n: expected an integer, found a string");
  g_clear_error(&error_);
  EXPECT_FALSE(annals_request_integer(&request_, "t", &number, &error_));
  EXPECT_EQ(message(), "t: expected an integer, found a boolean");
  g_clear_error(&error_);
  EXPECT_FALSE(annals_request_boolean(&request_, "b", &value, &error_));
  EXPECT_EQ(message(), "b: expected a boolean, found a number");
}

TEST_F(Request, RefusesWhatIsNotAnObject) {
  for (const char *body : {"[]", "1", "\"x\"", "null", "true"}) {
    EXPECT_FALSE(parse(body)) << body;
    EXPECT_EQ(message().rfind("body: expected an object, found ", 0), 0u) << message();
  }
}

TEST_F(Request, SaysWhereTextIsNotJson) {
  EXPECT_FALSE(parse("{\n\"a\": x}"));
  EXPECT_EQ(message(), "line 2, column 6: invalid token near 'x'");
  const std::string nul("{\"a\":\"b\0c\"}", 11);
  for (const std::string &body :
       {std::string(" "), std::string("{"), std::string("{}{}"), std::string("{'a':1}"),
        std::string("{\"a\":01}"), std::string("{\"a\":1,}"), std::string("{\"a\":NaN}"),
        std::string("{\"a\":\"\\u0000\"}"), std::string("{\"\\u0000\":1}"), nul,
        std::string("{\"a\":\"\xff\"}"), std::string("{\"a\":\"\xed\xa0\x80\"}"),
        std::string("{\"a\":\"\\ud800\"}"), std::string("{\"a\":\"\xc0\x80\"}"),
        std::string("\xef\xbb\xbf{}")}) {
    EXPECT_FALSE(parse(body)) << body;
    EXPECT_EQ(message().rfind("line 1, column ", 0), 0u) << body << ": " << message();
  }
}

TEST_F(Request, BoundsDepth) {
  const std::string open(2047, '[');
  const std::string close(2047, ']');
  EXPECT_TRUE(parse("{\"a\":" + open + close + "}"));
  EXPECT_FALSE(parse("{\"a\":[" + open + close + "]}"));
  EXPECT_NE(message().find("maximum parsing depth reached"), std::string::npos) << message();
  EXPECT_FALSE(parse(std::string(1000000, '[')));
  EXPECT_EQ(message(), "the body has more than 10000 values");
}

TEST_F(Request, BoundsValuesButNotText) {
  std::string body = "{\"a\":[";
  for (int i = 0; i < 9999; i++) {
    body += i == 0 ? "1" : ",1";
  }
  EXPECT_TRUE(parse(body + "]}"));
  EXPECT_FALSE(parse(body + ",1]}"));
  EXPECT_EQ(message(), "the body has more than 10000 values");
  EXPECT_TRUE(parse("{\"a\":\"\\\"" + std::string(500000, ',') + "\"}"));
}

}  // namespace
