/* Calls and their answers, byte by byte. */
#include <algorithm>
#include <string>

#include "server/ops/log.h"
#include "tests/gateway/gateway_fixture.h"

namespace {

const char kModel[] = "com.amazonaws.swf.service.v2.model#";
const char kValidation[] = "com.amazon.coral.validate#ValidationException";
const char kSerialization[] = "com.amazon.coral.service#SerializationException";
const char kUnknownOperation[] = "com.amazon.coral.service#UnknownOperationException";

class Gateway : public GatewayFixture {
 protected:
  static std::string arn_body(const std::string &rest = "") {
    return std::string("{\"executionArn\":\"") + kArn + "\"" + rest + "}";
  }
  static std::string page(std::initializer_list<int> ids, bool data = true,
                          const std::string &rest = "") {
    std::string events;
    for (int id : ids) {
      events += (events.empty() ? "" : ",") + event(id, data);
    }
    return "{\"events\":[" + events + "]" + rest + "}";
  }
  /* The nextToken of an answer. */
  static std::string token_of(const std::string &reply) {
    size_t at = reply.find("\"nextToken\":\"");
    return at == std::string::npos ? "" : reply.substr(at + 13, reply.find('"', at + 13) - at - 13);
  }
  void expect_error(const std::string &body, const std::string &type, const std::string &message) {
    EXPECT_EQ(ask(body), answer("400 Bad Request", error(type, message))) << body;
  }
};

TEST_F(Gateway, AnswersAPage) {
  EXPECT_EQ(ask(arn_body()), answer("200 OK", page({1, 2, 3, 4, 5})));
  EXPECT_EQ(ask(arn_body(",\"reverseOrder\":true")), answer("200 OK", page({5, 4, 3, 2, 1})));
  EXPECT_EQ(ask(arn_body(",\"includeExecutionData\":false")),
            answer("200 OK", page({1, 2, 3, 4, 5}, false)));
  EXPECT_EQ(ask(arn_body(",\"maxResults\":5,\"nextToken\":null,\"whatever\":[1]")),
            answer("200 OK", page({1, 2, 3, 4, 5})));
}

TEST_F(Gateway, AnswersPageByPage) {
  std::string first = ask(arn_body(",\"maxResults\":2.0"));
  std::string token = token_of(first);
  ASSERT_NE(token, "");
  EXPECT_EQ(first, answer("200 OK", page({1, 2}, true, ",\"nextToken\":\"" + token + "\"")));
  std::string second = ask(arn_body(",\"maxResults\":1,\"nextToken\":\"" + token + "\""));
  token = token_of(second);
  EXPECT_EQ(second, answer("200 OK", page({3}, true, ",\"nextToken\":\"" + token + "\"")));
  EXPECT_EQ(ask(arn_body(",\"nextToken\":\"" + token + "\"")), answer("200 OK", page({4, 5})));
}

TEST_F(Gateway, AnswersFromAColdStore) {
  store_.set_cold(true);
  std::string first = ask(arn_body(",\"maxResults\":3,\"reverseOrder\":true"));
  std::string token = token_of(first);
  EXPECT_EQ(first, answer("200 OK", page({5, 4, 3}, true, ",\"nextToken\":\"" + token + "\"")));
  EXPECT_EQ(ask(arn_body(",\"reverseOrder\":true,\"nextToken\":\"" + token + "\"")),
            answer("200 OK", page({2, 1})));
  expect_error(std::string("{\"executionArn\":\"") + kAbsentArn + "\"}",
               std::string(kModel) + "ExecutionDoesNotExist",
               std::string("Execution Does Not Exist: '") + kAbsentArn + "'");
}

TEST_F(Gateway, AnswersOthersWhileACallWaitsForTheDisk) {
  annals_gateway_options options = {};
  options.thread_count = 1;
  start(options);
  store_.hold();
  store_.set_cold(true);
  HttpClient waiting(port_);
  waiting.send(request(arn_body()));
  store_.wait_pending(1);
  store_.set_cold(false);
  EXPECT_EQ(ask(arn_body()), answer("200 OK", page({1, 2, 3, 4, 5})));
  store_.release();
  EXPECT_EQ(waiting.receive(), answer("200 OK", page({1, 2, 3, 4, 5})));
}

TEST_F(Gateway, ForgetsAClientThatLeavesWhileItsCallWaits) {
  store_.hold();
  store_.set_cold(true);
  {
    HttpClient leaving(port_);
    leaving.send(request(arn_body()));
    store_.wait_pending(1);
  }
  store_.release();
  EXPECT_EQ(ask(arn_body()), answer("200 OK", page({1, 2, 3, 4, 5})));
}

TEST_F(Gateway, NamesWhatIsWrongWithAnArn) {
  const std::string type = std::string(kModel) + "InvalidArn";
  expect_error("{\"executionArn\":\"banana\"}", type, "Invalid Arn: 'Invalid ARN prefix: banana'");
  expect_error("{\"executionArn\":\"arn:aws:states:us-east-1:123456789012:express:m:n:u\"}", type,
               "Invalid Arn: 'Resource type not valid in this context: express'");
  expect_error("{\"executionArn\":\"arn:aws:states:us-east-1:123456789012:stateMachine:m\"}", type,
               "Invalid Arn: 'Resource type not valid in this context: stateMachine'");
}

TEST_F(Gateway, SaysThatThereIsNoSuchExecution) {
  expect_error(std::string("{\"executionArn\":\"") + kAbsentArn + "\"}",
               std::string(kModel) + "ExecutionDoesNotExist",
               std::string("Execution Does Not Exist: '") + kAbsentArn + "'");
}

TEST_F(Gateway, RefusesTokensThatAreNotOfThisListing) {
  const std::string type = std::string(kModel) + "InvalidToken";
  const std::string message = "Invalid Token: 'Invalid token'";
  expect_error(arn_body(",\"nextToken\":\"banana\""), type, message);
  std::string token = token_of(ask(arn_body(",\"maxResults\":2")));
  expect_error(arn_body(",\"reverseOrder\":true,\"nextToken\":\"" + token + "\""), type, message);
  expect_error(arn_body(",\"includeExecutionData\":false,\"nextToken\":\"" + token + "\""), type,
               message);
  now_us_ += 86401 * int64_t{1000000};
  expect_error(arn_body(",\"nextToken\":\"" + token + "\""), type, message);
}

TEST_F(Gateway, CountsAndJoinsViolations) {
  const std::string at = "' failed to satisfy constraint: Member must ";
  const std::string null_arn =
      "Value null at 'executionArn' failed to satisfy constraint: Member must not be null";
  const std::string one = "1 validation error detected: ";
  expect_error("{}", kValidation, one + null_arn);
  expect_error("", kValidation, one + null_arn);
  expect_error("{\"executionArn\":null}", kValidation, one + null_arn);
  expect_error("{\"executionArn\":\"\"}", kValidation,
               one + "Value '' at 'executionArn" + at + "have length greater than or equal to 1");
  const std::string long_arn(257, 'a');
  expect_error("{\"executionArn\":\"" + long_arn + "\"}", kValidation,
               one + "Value '" + long_arn + "' at 'executionArn" + at +
                   "have length less than or equal to 256");
  expect_error(arn_body(",\"maxResults\":1001"), kValidation,
               one + "Value '1001' at 'maxResults" + at + "have value less than or equal to 1000");
  expect_error(arn_body(",\"maxResults\":-1"), kValidation,
               one + "Value '-1' at 'maxResults" + at + "have value greater than or equal to 0");
  const std::string token(1025, 't');
  expect_error(
      arn_body(",\"nextToken\":\"" + token + "\""), kValidation,
      one + "Value '" + token + "' at 'nextToken" + at + "have length less than or equal to 1024");
  expect_error("{\"maxResults\":1001}", kValidation,
               "2 validation errors detected: " + null_arn + "; Value '1001' at 'maxResults" + at +
                   "have value less than or equal to 1000");
}

TEST_F(Gateway, QuotesEvenABodysWorthOfValue) {
  std::string sent;
  std::string quoted;
  for (int i = 0; i < 174000; i++) {
    sent += "\\u0001";
    quoted += "\\u0001";
  }
  expect_error(arn_body(",\"nextToken\":\"" + sent + "\""), kValidation,
               "1 validation error detected: Value '" + quoted +
                   "' at 'nextToken' failed to satisfy constraint: Member must have length less "
                   "than or equal to 1024");
  const std::string raw(1040000, '\x7f');
  expect_error(arn_body(",\"nextToken\":\"" + raw + "\""), kValidation,
               "1 validation error detected: Value '" + raw +
                   "' at 'nextToken' failed to satisfy constraint: Member must have length less "
                   "than or equal to 1024");
}

TEST_F(Gateway, SaysWhereABodyCannotBeRead) {
  expect_error("{", kSerialization, "line 1, column 1: string or '}' expected near end of file");
  expect_error("[]", kSerialization, "body: expected an object, found an array");
  expect_error("{\"executionArn\":7}", kSerialization,
               "executionArn: expected a string, found a number");
  expect_error(arn_body(",\"maxResults\":100.5"), kSerialization,
               "maxResults: expected an integer, found one with decimals");
  expect_error(arn_body(",\"maxResults\":2147483648"), kSerialization,
               "maxResults: expected an integer of 32 bits");
  expect_error(arn_body(",\"reverseOrder\":\"true\""), kSerialization,
               "reverseOrder: expected a boolean, found a string");
}

TEST_F(Gateway, NamesTheOperationsItOffers) {
  HttpClient client(port_);
  const std::string offered =
      "offered: AWSStepFunctions.GetExecutionHistory, AWSStepFunctions.DescribeExecution, "
      "AWSStepFunctions.ListExecutions";
  const std::string type =
      "Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}";
  client.send("POST / HTTP/1.1\r\nHost: x\r\n" + type);
  EXPECT_EQ(
      client.receive(),
      answer("400 Bad Request", error(kUnknownOperation, "X-Amz-Target is missing; " + offered)));
  for (const char *target : {"AWSStepFunctions.StartExecution", "GetExecutionHistory", "",
                             "AWSStepFunctions.getexecutionhistory", "AWSStepFunctions.",
                             "AWSStepFunctions.GetExecutionHistory x"}) {
    client.send(std::string("POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: ") + target + "\r\n" +
                type);
    EXPECT_EQ(client.receive(),
              answer("400 Bad Request",
                     error(kUnknownOperation, "X-Amz-Target is not an operation; " + offered)));
  }
}

TEST_F(Gateway, TakesBlanksAroundTheTarget) {
  for (const char *target :
       {"AWSStepFunctions.GetExecutionHistory ", " \tAWSStepFunctions.GetExecutionHistory \t "}) {
    HttpClient client(port_);
    client.send(std::string("POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target:") + target +
                "\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: " +
                std::to_string(arn_body().size()) + "\r\n\r\n" + arn_body());
    EXPECT_EQ(client.receive(), answer("200 OK", page({1, 2, 3, 4, 5}))) << target;
  }
}

TEST_F(Gateway, TakesAwsJsonOnly) {
  HttpClient client(port_);
  auto ask_as = [&](const std::string &line) {
    client.send(
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSStepFunctions.GetExecutionHistory\r\n" +
        line + "Content-Length: " + std::to_string(arn_body().size()) + "\r\n\r\n" + arn_body());
    return client.receive();
  };
  for (const char *line : {"Content-Type: application/x-amz-json-1.0\r\n",
                           "content-type: Application/X-Amz-Json-1.0\r\n",
                           "Content-Type: application/x-amz-json-1.0; charset=utf-8\r\n",
                           "Content-Type: application/x-amz-json-1.0 ;charset=utf-8\r\n"}) {
    EXPECT_EQ(ask_as(line), answer("200 OK", page({1, 2, 3, 4, 5}))) << line;
  }
  for (const char *line :
       {"", "Content-Type: application/json\r\n", "Content-Type: application/x-amz-json-1.1\r\n",
        "Content-Type: application/x-amz-json-1.01\r\n"}) {
    EXPECT_EQ(ask_as(line), answer("400 Bad Request", error(kUnknownOperation,
                                                            "Content-Type is not "
                                                            "application/x-amz-json-1.0")))
        << line;
  }
}

TEST_F(Gateway, AnswersDamagedDataWith500) {
  store_.damage(kArn);
  EXPECT_EQ(ask(arn_body()),
            answer("500 Internal Server Error",
                   error("com.amazon.coral.service#InternalFailure", "stored data is damaged")));
}

TEST_F(Gateway, ThrottlesWhenTooManyAnswersAreUnread) {
  annals_gateway_options options = {};
  options.reply_bytes_max = 1;
  start(options);
  HttpClient slow(port_);
  slow.send(request(std::string("{\"executionArn\":\"") + kBigArn + "\"}"));
  ASSERT_NE(slow.receive_head(), "");
  EXPECT_EQ(ask(arn_body()),
            answer("400 Bad Request",
                   error(std::string(kModel) + "ThrottlingException", "Rate exceeded")));
  slow.abandon();
}

TEST_F(Gateway, ThrottlesPagesThatWereAdmittedTogether) {
  annals_gateway_options options = {};
  options.reply_bytes_max = 1 << 20;
  start(options);
  store_.set_cold(true);
  store_.hold();
  const std::string big = request(std::string("{\"executionArn\":\"") + kBigArn + "\"}");
  HttpClient clients[] = {HttpClient(port_), HttpClient(port_), HttpClient(port_)};
  for (size_t i = 0; i < 3; i++) {
    clients[i].send(big);
    store_.wait_pending(i + 1);
  }
  store_.release();
  // The first alone is over the limit, and nobody reads it: there is no room for the others.
  EXPECT_EQ(clients[0].receive_head().substr(0, 15), "HTTP/1.1 200 OK");
  for (HttpClient *client : {&clients[1], &clients[2]}) {
    EXPECT_EQ(client->receive(),
              answer("400 Bad Request",
                     error(std::string(kModel) + "ThrottlingException", "Rate exceeded")));
  }
  clients[0].abandon();
}

TEST_F(Gateway, LogsFailedCallsAndNoBodies) {
  annals_log_start(ANNALS_LOG_INFO);
  testing::internal::CaptureStderr();
  ask(arn_body());
  ask(std::string("{\"executionArn\":\"") + kAbsentArn + "\"}");
  ask("{\"executionArn\":\"secret");
  ask("{\"executionArn\":\"secret\"}");
  store_.damage(kArn);
  ask(arn_body());
  annals_gateway_stop(gateway_); /* every call has been logged */
  std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 4) << log;
  EXPECT_NE(log.find("\"level\":\"info\",\"message\":\"call failed\",\"request_id\":\""),
            std::string::npos);
  EXPECT_NE(log.find(std::string("\"transport\":\"aws_json\",\"method\":\"GetExecutionHistory\","
                                 "\"arn\":\"") +
                     kAbsentArn +
                     "\",\"reason\":\"ExecutionDoesNotExist\",\"http_status\":400,"
                     "\"duration_us\":"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("\"reason\":\"SerializationException\",\"http_status\":400,\"duration_us\":"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("\"level\":\"error\",\"message\":\"call failed\""), std::string::npos) << log;
  EXPECT_EQ(log.find("secret"), std::string::npos);
}

}  // namespace
