// Asking how a server is: the library and the command.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <mutex>
#include <string>
#include <vector>

#include "client/annals.h"
#include "client/cli.h"
#include "tests/client/cli_run.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

const int kNotFound = 5;
const int kUnavailable = 14;

class Health : public ::testing::Test {
 protected:
  Health()
      : server_([this](const std::string &method, const std::string &request) {
          std::lock_guard<std::mutex> lock(mutex_);
          calls_.push_back(method + " " + request);
          return reply_;
        }) {
    setenv("ANNALS_ENDPOINT", server_.endpoint().c_str(), 1);
  }
  ~Health() override {
    unsetenv("ANNALS_ENDPOINT");
  }

  void Expect(const std::vector<std::string> &args, int status, const std::string &out,
              const std::string &err) {
    std::vector<std::string> all = {"health"};
    all.insert(all.end(), args.begin(), args.end());
    CliResult result = RunCli(all);
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.out, out);
    EXPECT_EQ(result.err, err);
  }

  void Reply(const FakeReply &reply) {
    std::lock_guard<std::mutex> lock(mutex_);
    reply_ = reply;
  }

  // Method and request of each call so far.
  std::vector<std::string> calls() {
    std::lock_guard<std::mutex> lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  FakeReply reply_;
  std::vector<std::string> calls_;
  FakeServer server_;
};

FakeReply Body(const std::string &body) {
  FakeReply reply;
  reply.body = body;
  return reply;
}

FakeReply Failure(int code, const std::string &message) {
  FakeReply reply;
  reply.code = code;
  reply.message = message;
  return reply;
}

TEST_F(Health, Serving) {
  Reply(Body("\x08\x01"));
  Expect({}, 0, "SERVING\n", "");
  Expect({"a.B"}, 0, "SERVING\n", "");
  EXPECT_EQ(calls(), (std::vector<std::string>{"/grpc.health.v1.Health/Check ",
                                               "/grpc.health.v1.Health/Check \x0a\x03"
                                               "a.B"}));
}

TEST_F(Health, AnythingElseIsNotServing) {
  for (const char *body : {"\x08\x02", "\x08\x03", "", "\x12\x01x"}) {
    Reply(Body(body));
    Expect({}, 1, "NOT_SERVING\n", "");
  }
}

TEST_F(Health, LaterStatusCounts) {
  Reply(Body("\x08\x01\x08\x02"));
  Expect({}, 1, "NOT_SERVING\n", "");
}

TEST_F(Health, NotAnAnswer) {
  Reply(Body("\x08"));
  Expect({}, 2, "", "annals: health: INTERNAL: the server's answer is not a HealthCheckResponse\n");
}

TEST_F(Health, UnknownService) {
  Reply(Failure(kNotFound, "there is no service a.B"));
  Expect({"a.B"}, 2, "", "annals: health: NOT_FOUND: there is no service a.B\n");
}

TEST_F(Health, IsAskedOnce) {
  Reply(Failure(kUnavailable, "not now"));
  Expect({}, 2, "", "annals: health: UNAVAILABLE: not now\n");
  EXPECT_EQ(calls().size(), 1u);
}

TEST_F(Health, NoAnswerInTime) {
  FakeReply reply;
  reply.stalled = true;
  Reply(reply);
  CliResult result = RunCli({"health", "--timeout", "1"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err.rfind("annals: health: DEADLINE_EXCEEDED: ", 0), 0u) << result.err;
}

TEST_F(Health, NobodyListens) {
  CliResult result = RunCli({"health", "--endpoint", "127.0.0.1:1"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err.rfind("annals: health: UNAVAILABLE: ", 0), 0u) << result.err;
}

TEST_F(Health, WrongArguments) {
  const std::string hint = "\nTry 'annals health --help'.\n";
  Expect({"a", "b"}, 2, "", "annals: health: one SERVICE is enough, not 2" + hint);
  Expect({"--timeout", "0"}, 2, "", "annals: health: --timeout is 1 to 3600" + hint);
  Expect({"--timeout", "3601"}, 2, "", "annals: health: --timeout is 1 to 3600" + hint);
  Expect({"--endpoint", "x"}, 2, "", "annals: health: endpoint 'x' is not HOST:PORT" + hint);
  EXPECT_EQ(calls().size(), 0u);
}

}  // namespace
}  // namespace annals
