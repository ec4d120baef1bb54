// Which calls are repeated, when, and until when.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <mutex>

#include "client/annals.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kUnavailable = 14;

class Retry : public ::testing::Test {
 protected:
  Retry()
      : server_([this](const std::string &, const std::string &request) { return Next(request); }) {
    Open(0, 0);
  }

  ~Retry() override {
    annals_client_close(client_);
    g_clear_error(&error_);
  }

  void Open(int64_t timeout_ms, int attempts_max) {
    annals_client_close(client_);
    struct annals_client_options options = {};
    options.endpoint = server_.endpoint().c_str();
    options.timeout_ms = timeout_ms;
    options.attempts_max = attempts_max;
    client_ = annals_client_open(&options, nullptr);
  }

  // What the next calls get; those behind succeed.
  void Reply(std::deque<FakeReply> replies) {
    std::lock_guard<std::mutex> lock(mutex_);
    replies_ = std::move(replies);
  }

  // The requests of all calls so far.
  std::vector<std::string> Requests() {
    std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

  bool Append() {
    struct annals_client_append_request request = {};
    struct annals_client_append_result result;
    request.execution_arn = "a";
    return annals_client_append(client_, &request, &result, &error_);
  }

  struct annals_client *client_ = nullptr;
  GError *error_ = nullptr;

 private:
  FakeReply Next(const std::string &request) {
    std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(request);
    if (replies_.empty()) {
      return FakeReply();
    }
    FakeReply reply = replies_.front();
    replies_.pop_front();
    return reply;
  }

  std::mutex mutex_;
  std::deque<FakeReply> replies_;
  std::vector<std::string> requests_;
  FakeServer server_;
};

TEST_F(Retry, RepeatsTheSameRequest) {
  Reply({{kUnavailable, "gone"},
         {kUnavailable, "?", StatusDetails("OUTCOME_UNKNOWN", {})},
         {8, "busy", StatusDetails("OVERLOADED", {}, 1)},
         {kUnavailable, "leaving", StatusDetails("DRAINING", {})}});
  EXPECT_TRUE(Append());
  EXPECT_EQ(Requests(), std::vector<std::string>(5,
                                                 "\x0a\x01"
                                                 "a"));
}

TEST_F(Retry, GivesUpWithTheLastError) {
  Open(0, 2);
  Reply({{kUnavailable, "first"}, {kUnavailable, "second"}});
  EXPECT_FALSE(Append());
  EXPECT_STREQ(error_->message, "second");
  EXPECT_EQ(Requests().size(), 2u);
}

TEST_F(Retry, IsOffWithOneAttempt) {
  Open(0, 1);
  Reply({{kUnavailable, "first"}});
  EXPECT_FALSE(Append());
  EXPECT_EQ(Requests().size(), 1u);
}

TEST_F(Retry, IsNotForWhatStaysWrong) {
  for (int code : {3, 5, 6, 7, 8, 9, 13, 15, 16}) {
    Reply({{code, "wrong"}});
    EXPECT_FALSE(Append());
    EXPECT_EQ(error_->code, code);
    g_clear_error(&error_);
  }
  EXPECT_EQ(Requests().size(), 9u);
}

TEST_F(Retry, IsNotForDeletions) {
  Reply({{kUnavailable, "?", StatusDetails("OUTCOME_UNKNOWN", {}, 1)}});
  EXPECT_FALSE(annals_client_delete(client_, "a", &error_));
  EXPECT_STREQ(annals_client_error_reason(error_), "OUTCOME_UNKNOWN");
  g_clear_error(&error_);
  EXPECT_TRUE(annals_client_delete(client_, "a", &error_));
  EXPECT_EQ(Requests(), std::vector<std::string>(2,
                                                 "\x0a\x01"
                                                 "a"));
}

TEST_F(Retry, WaitsForAsLongAsTheServerAsks) {
  Reply({{8, "busy", StatusDetails("OVERLOADED", {}, 300)}});
  const Clock::time_point start = Clock::now();
  EXPECT_TRUE(Append());
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(300));
}

TEST_F(Retry, DoesNotWaitBeyondTheDeadline) {
  Open(30000, 0);
  Reply({{8, "busy", StatusDetails("OVERLOADED", {}, 30000)}});
  const Clock::time_point start = Clock::now();
  EXPECT_FALSE(Append());
  EXPECT_LT(Clock::now() - start, std::chrono::milliseconds(15000));
  EXPECT_STREQ(annals_client_error_reason(error_), "OVERLOADED");
}

}  // namespace
}  // namespace annals
