/* DescribeExecution and ListExecutions, byte by byte. */
#include <string>
#include <vector>

#include "tests/gateway/gateway_fixture.h"

namespace {

const char kModel[] = "com.amazonaws.swf.service.v2.model#";
const char kValidation[] = "com.amazon.coral.validate#ValidationException";
const char kSerialization[] = "com.amazon.coral.service#SerializationException";
const char kMachine[] = "arn:aws:states:us-east-1:123456789012:stateMachine:machine";
const char kAt[] = "' failed to satisfy constraint: Member must ";
const char kOne[] = "1 validation error detected: ";
const char kStatuses[] =
    "satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]";

std::string member(const std::string &name, const std::string &value) {
  return "\"" + name + "\":\"" + value + "\"";
}

std::string object(const std::vector<std::string> &members) {
  std::string text;
  for (const std::string &each : members) {
    text += (text.empty() ? "" : ",") + each;
  }
  return "{" + text + "}";
}

class Executions : public GatewayFixture {
 protected:
  std::string describe(const std::vector<std::string> &members) {
    return ask(object(members), "DescribeExecution");
  }
  std::string list(const std::vector<std::string> &members) {
    return ask(object(members), "ListExecutions");
  }
  static std::string failure(const std::string &type, const std::string &message) {
    return answer("400 Bad Request", error(type, message));
  }
  static std::string item(const char *arn, const std::string &name, const char *stop) {
    return "{" + member("executionArn", arn) + "," + member("stateMachineArn", kMachine) + "," +
           member("name", name) +
           ",\"status\":\"SUCCEEDED\",\"startDate\":1600000000.01,"
           "\"stopDate\":" +
           stop + ",\"redriveCount\":0}";
  }
  static std::string small() {
    return item(kArn, "small", "1600000000.05");
  }
  static std::string big() {
    return item(kBigArn, "big", "1600000000.4");
  }
  static std::string token_of(const std::string &reply) {
    const std::string head = "\"nextToken\":\"";
    size_t at = reply.find(head);
    if (at == std::string::npos) {
      return "";
    }
    at += head.size();
    return reply.substr(at, reply.find('"', at) - at);
  }
};

TEST_F(Executions, AreDescribed) {
  const std::string head = "{" + member("executionArn", kArn) + "," +
                           member("stateMachineArn", kMachine) +
                           ",\"name\":\"small\",\"status\":\"SUCCEEDED\","
                           "\"startDate\":1600000000.01,\"stopDate\":1600000000.05,";
  const std::string data =
      "\"input\":\"{}\",\"inputDetails\":{\"included\":true},"
      "\"output\":\"{}\",\"outputDetails\":{\"included\":true},";
  const std::string tail =
      "\"redriveCount\":0,\"redriveStatus\":\"NOT_REDRIVABLE\","
      "\"redriveStatusReason\":\"Execution is SUCCEEDED and cannot be redriven\"}";
  const std::string whole = answer("200 OK", head + data + tail);
  for (bool cold : {false, true}) {
    store_.set_cold(cold);
    EXPECT_EQ(describe({member("executionArn", kArn)}), whole);
    EXPECT_EQ(describe({member("executionArn", kArn), "\"includedData\":null,\"more\":[{}]"}),
              whole);
    EXPECT_EQ(describe({member("executionArn", kArn), member("includedData", "ALL_DATA")}), whole);
    EXPECT_EQ(describe({member("executionArn", kArn), member("includedData", "METADATA_ONLY")}),
              answer("200 OK", head + tail));
  }
}

TEST_F(Executions, AreListed) {
  const std::string whole = answer("200 OK", "{\"executions\":[" + big() + "," + small() + "]}");
  const std::string none = answer("200 OK", "{\"executions\":[]}");
  const std::string machine = member("stateMachineArn", kMachine);
  for (bool cold : {false, true}) {
    store_.set_cold(cold);
    EXPECT_EQ(list({machine}), whole);
    EXPECT_EQ(list({machine, "\"maxResults\":2"}), whole);
    EXPECT_EQ(list({machine, "\"mapRunArn\":null"}), whole);
    EXPECT_EQ(list({machine, member("statusFilter", "SUCCEEDED")}), whole);
    EXPECT_EQ(list({machine, member("redriveFilter", "NOT_REDRIVEN")}), whole);
    EXPECT_EQ(list({machine, member("statusFilter", "FAILED")}), none);
    EXPECT_EQ(list({machine, member("statusFilter", "PENDING_REDRIVE")}), none);
    EXPECT_EQ(list({machine, member("redriveFilter", "REDRIVEN")}), none);
    EXPECT_EQ(list({member("stateMachineArn", std::string(kMachine) + "s")}), none);
    EXPECT_EQ(list({member("stateMachineArn", std::string(kMachine) + ":PROD")}), none);
    EXPECT_EQ(list({member("mapRunArn",
                           "arn:aws:states:us-east-1:123456789012:mapRun:machine/label:run")}),
              none);
  }
}

TEST_F(Executions, AreListedPageByPage) {
  const std::string machine = member("stateMachineArn", kMachine);
  const std::string first = list({machine, "\"maxResults\":1"});
  const std::string token = token_of(first);
  ASSERT_NE(token, "");
  EXPECT_EQ(first, answer("200 OK",
                          "{\"executions\":[" + big() + "]," + member("nextToken", token) + "}"));
  const std::string next = member("nextToken", token);
  EXPECT_EQ(list({machine, next}), answer("200 OK", "{\"executions\":[" + small() + "]}"));
  const std::string refused =
      failure(std::string(kModel) + "InvalidToken", "Invalid Token: 'Invalid token'");
  EXPECT_EQ(list({machine, next, member("statusFilter", "SUCCEEDED")}), refused);
  EXPECT_EQ(list({machine, next, member("redriveFilter", "NOT_REDRIVEN")}), refused);
  EXPECT_EQ(list({member("stateMachineArn", std::string(kMachine) + "s"), next}), refused);
  EXPECT_EQ(ask(object({member("executionArn", kArn), next})), refused);
  const std::string page = ask(object({member("executionArn", kArn), "\"maxResults\":1"}));
  EXPECT_EQ(list({machine, member("nextToken", token_of(page))}), refused);
  now_us_ += 86401 * int64_t{1000000};
  EXPECT_EQ(list({machine, next}), refused);
}

TEST_F(Executions, AreNotDescribedWhereTheRequestIsWrong) {
  const std::string arn = member("executionArn", kArn);
  const std::string null_arn = std::string("Value null at 'executionArn") + kAt + "not be null";
  const std::string data = std::string("Value 'SOME' at 'includedData") + kAt +
                           "satisfy enum value set: [ALL_DATA, METADATA_ONLY]";
  EXPECT_EQ(describe({}), failure(kValidation, kOne + null_arn));
  EXPECT_EQ(describe({arn, member("includedData", "SOME")}), failure(kValidation, kOne + data));
  EXPECT_EQ(describe({member("includedData", "SOME")}),
            failure(kValidation, "2 validation errors detected: " + null_arn + "; " + data));
  EXPECT_EQ(describe({arn, member("includedData", "all_data")}),
            failure(kValidation, std::string(kOne) + "Value 'all_data' at 'includedData" + kAt +
                                     "satisfy enum value set: [ALL_DATA, METADATA_ONLY]"));
  EXPECT_EQ(describe({arn, "\"includedData\":1"}),
            failure(kSerialization, "includedData: expected a string, found a number"));
  EXPECT_EQ(
      describe({member("executionArn", "banana")}),
      failure(std::string(kModel) + "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: banana'"));
  EXPECT_EQ(describe({member("executionArn", kMachine)}),
            failure(std::string(kModel) + "InvalidArn",
                    "Invalid Arn: 'Resource type not valid in this context: stateMachine'"));
  EXPECT_EQ(describe({member("executionArn", kAbsentArn)}),
            failure(std::string(kModel) + "ExecutionDoesNotExist",
                    std::string("Execution Does Not Exist: '") + kAbsentArn + "'"));
}

TEST_F(Executions, AreNotListedWhereTheRequestIsWrong) {
  const std::string machine = member("stateMachineArn", kMachine);
  const std::string long_arn(257, 'a');
  const std::string long_token(3097, 't');
  const std::string long_run(2001, 'r');
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {member("statusFilter", "BUSY"),
       std::string("Value 'BUSY' at 'statusFilter") + kAt + kStatuses},
      {member("statusFilter", ""), std::string("Value '' at 'statusFilter") + kAt + kStatuses},
      {"\"maxResults\":1001",
       std::string("Value '1001' at 'maxResults") + kAt + "have value less than or equal to 1000"},
      {"\"maxResults\":-1",
       std::string("Value '-1' at 'maxResults") + kAt + "have value greater than or equal to 0"},
      {member("nextToken", ""),
       std::string("Value '' at 'nextToken") + kAt + "have length greater than or equal to 1"},
      {member("nextToken", long_token),
       "Value '" + long_token + "' at 'nextToken" + kAt + "have length less than or equal to 3096"},
      {member("redriveFilter", "ALL"), std::string("Value 'ALL' at 'redriveFilter") + kAt +
                                           "satisfy enum value set: [REDRIVEN, NOT_REDRIVEN]"},
  };
  for (const auto &[given, message] : wrong) {
    EXPECT_EQ(list({machine, given}), failure(kValidation, kOne + message));
  }
  EXPECT_EQ(list({member("stateMachineArn", long_arn)}),
            failure(kValidation, kOne + ("Value '" + long_arn + "' at 'stateMachineArn" + kAt +
                                         "have length less than or equal to 256")));
  EXPECT_EQ(list({member("mapRunArn", long_run)}),
            failure(kValidation, kOne + ("Value '" + long_run + "' at 'mapRunArn" + kAt +
                                         "have length less than or equal to 2000")));
  EXPECT_EQ(list({machine, wrong[6].first, wrong[2].first, wrong[0].first}),
            failure(kValidation, "3 validation errors detected: " + wrong[0].second + "; " +
                                     wrong[2].second + "; " + wrong[6].second));
  EXPECT_EQ(list({member("stateMachineArn", kArn)}),
            failure(std::string(kModel) + "InvalidArn",
                    "Invalid Arn: 'Resource type not valid in this context: execution'"));
  EXPECT_EQ(list({member("mapRunArn", kMachine)}),
            failure(std::string(kModel) + "InvalidArn",
                    "Invalid Arn: 'Resource type not valid in this context: stateMachine'"));
  EXPECT_EQ(list({machine, "\"statusFilter\":[]"}),
            failure(kSerialization, "statusFilter: expected a string, found an array"));
}

TEST_F(Executions, AreListedByExactlyOneArn) {
  EXPECT_EQ(list({}), failure(kValidation, "Must provide a StateMachine ARN or MapRun ARN"));
  EXPECT_EQ(list({member("stateMachineArn", kMachine), member("mapRunArn", "x")}),
            failure(kValidation, "Must provide a StateMachine ARN or MapRun ARN, not both"));
  EXPECT_EQ(list({"\"maxResults\":-1"}),
            failure(kValidation, kOne + (std::string("Value '-1' at 'maxResults") + kAt +
                                         "have value greater than or equal to 0")));
}

TEST_F(Executions, AreThrottledAndFailLikePages) {
  const std::string machine = member("stateMachineArn", kMachine);
  store_.set_outcome(ANNALS_STORE_CORRUPT);
  const std::string damaged =
      answer("500 Internal Server Error",
             error("com.amazon.coral.service#InternalFailure", "stored data is damaged"));
  EXPECT_EQ(describe({member("executionArn", kArn)}), damaged);
  EXPECT_EQ(list({machine}), damaged);
  store_.set_outcome(ANNALS_STORE_OK);
  annals_gateway_options options = {};
  options.reply_bytes_max = 1;
  start(options);
  HttpClient slow(port_);
  slow.send(request(object({member("executionArn", kBigArn)})));
  ASSERT_NE(slow.receive_head(), "");
  const std::string throttled =
      failure(std::string(kModel) + "ThrottlingException", "Rate exceeded");
  EXPECT_EQ(describe({member("executionArn", kArn)}), throttled);
  EXPECT_EQ(list({machine}), throttled);
  slow.abandon();
}

TEST_F(Executions, AreCountedWhenTheyWereAdmittedTogether) {
  annals_gateway_options options = {};
  options.reply_bytes_max = 1;
  start(options);
  store_.set_cold(true);
  store_.hold();
  HttpClient big(port_);
  big.send(request(object({member("executionArn", kBigArn)})));
  store_.wait_pending(1);
  HttpClient listing(port_);
  listing.send(request(object({member("stateMachineArn", kMachine)}), "", "ListExecutions"));
  store_.wait_pending(2);
  HttpClient description(port_);
  description.send(
      request(object({member("executionArn", kArn), member("includedData", "METADATA_ONLY")}), "",
              "DescribeExecution"));
  store_.wait_pending(3);
  store_.release();
  EXPECT_EQ(big.receive_head().substr(0, 15), "HTTP/1.1 200 OK");
  const std::string throttled =
      failure(std::string(kModel) + "ThrottlingException", "Rate exceeded");
  EXPECT_EQ(listing.receive(), throttled);
  EXPECT_EQ(description.receive(), throttled);
  big.abandon();
}

}  // namespace
