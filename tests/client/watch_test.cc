// Following a history with the library.

#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <thread>

#include "client/annals.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

constexpr int kCancelled = 1;
constexpr int kUnavailable = 14;

// A message with the events first to last, of EventBytes.
std::string Message(int64_t first, int64_t last) {
  std::string message;
  for (int64_t id = first; id <= last; id++) {
    const std::string event = EventBytes(id);
    message += '\x0a';
    message += static_cast<char>(event.size());
    message += event;
  }
  return message;
}

// A stream: its messages, and how it ends.
FakeReply Stream(std::vector<std::string> messages, int code = 0, const std::string &message = "",
                 const std::string &details = "") {
  FakeReply reply;
  reply.without_body = true;
  reply.messages = std::move(messages);
  reply.code = code;
  reply.message = message;
  reply.details = details;
  return reply;
}

FakeReply Stalled(std::vector<std::string> messages) {
  FakeReply reply = Stream(std::move(messages));
  reply.stalled = true;
  return reply;
}

class Watch : public ::testing::Test {
 protected:
  Watch()
      : server_([this](const std::string &method, const std::string &request) {
          return Next(method, request);
        }) {
    options_.endpoint = server_.endpoint().c_str();
    request_.execution_arn = "a";
  }

  ~Watch() override {
    annals_client_watch_free(watch_);
    annals_client_close(client_);
    g_clear_error(&error_);
  }

  // Begins to watch a server that answers like this, one stream after the other.
  void Begin(std::deque<FakeReply> replies) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      replies_ = std::move(replies);
    }
    client_ = annals_client_open(&options_, nullptr);
    watch_ = annals_client_watch_new(client_, &request_);
  }

  bool Next(int64_t timeout_ms = -1) {
    return annals_client_watch_next(watch_, timeout_ms, &event_, &error_);
  }

  std::string Event() {
    return std::string(reinterpret_cast<const char *>(event_.data), event_.size);
  }

  void ExpectEvents(int64_t first, int64_t last) {
    for (int64_t id = first; id <= last; id++) {
      ASSERT_TRUE(Next()) << error_->message;
      ASSERT_NE(event_.data, nullptr);
      EXPECT_EQ(Event(), EventBytes(id));
    }
  }

  void ExpectEnd() {
    ASSERT_TRUE(Next()) << error_->message;
    EXPECT_EQ(event_.data, nullptr);
  }

  void ExpectError(int code, const std::string &message, int64_t timeout_ms = -1) {
    ASSERT_FALSE(Next(timeout_ms));
    EXPECT_EQ(error_->domain, ANNALS_CLIENT_ERROR);
    EXPECT_EQ(error_->code, code);
    EXPECT_EQ(error_->message, message);
    g_clear_error(&error_);
  }

  std::vector<std::string> Requests() {
    std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

  struct annals_client_options options_ = {};
  struct annals_client_watch_request request_ = {};
  struct annals_client *client_ = nullptr;
  struct annals_client_watch *watch_ = nullptr;
  struct annals_client_event event_ = {};
  GError *error_ = nullptr;

 private:
  FakeReply Next(const std::string &method, const std::string &request) {
    std::lock_guard<std::mutex> lock(mutex_);
    EXPECT_EQ(method, "/annals.v1.HistoryService/WatchExecutionHistory");
    requests_.push_back(request);
    if (replies_.empty()) {
      return Stream({}, 13, "the test has no more to say");
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

TEST_F(Watch, GivesEventsToTheEnd) {
  Begin({Stream({Message(1, 3), "", Message(4, 4)})});
  ExpectEvents(1, 4);
  ExpectEnd();
  ExpectEnd();
  EXPECT_EQ(Requests(), std::vector<std::string>({"\x0a\x01"
                                                  "a\x10\x01"}));
}

TEST_F(Watch, AsksForWhatIsWanted) {
  request_.from_event_id = 7;
  request_.without_execution_data = true;
  request_.follow_redrives = true;
  Begin({Stream({Message(7, 7)})});
  ExpectEvents(7, 7);
  ExpectEnd();
  EXPECT_EQ(Requests(), std::vector<std::string>({std::string("\x0a\x01"
                                                              "a\x10\x07\x1a\x00\x20\x01",
                                                              9)}));
}

TEST_F(Watch, GoesOnWhereTheStreamBroke) {
  Begin({Stream({}, kUnavailable, "no"), Stream({Message(1, 2)}, kCancelled, "cut off"),
         Stream({Message(3, 3)}, kUnavailable, "leaving", StatusDetails("DRAINING", {})),
         Stream({}, 8, "busy", StatusDetails("OVERLOADED", {}, 1)), Stream({Message(4, 5)})});
  ExpectEvents(1, 5);
  ExpectEnd();
  std::vector<std::string> requests;
  for (const char *from : {"\x01", "\x01", "\x03", "\x04", "\x04"}) {
    requests.push_back(std::string("\x0a\x01"
                                   "a\x10") +
                       from);
  }
  EXPECT_EQ(Requests(), requests);
}

TEST_F(Watch, HearsOfTheEndOnAnotherStream) {
  Begin({Stream({Message(1, 2)}, kUnavailable, "gone"), Stream({})});
  ExpectEvents(1, 2);
  ExpectEnd();
}

TEST_F(Watch, FailsWhereNothingHelps) {
  Begin({Stream({Message(1, 1)}, 5, "deleted", StatusDetails("EXECUTION_DOES_NOT_EXIST", {})),
         Stream({Message(2, 2)})});
  ExpectEvents(1, 1);
  ExpectError(5, "deleted");
  ExpectEvents(2, 2);  // asked again, it goes on
  ExpectEnd();
}

TEST_F(Watch, GivesUpAServerThatItHasNeverReached) {
  options_.attempts_max = 2;
  Begin({Stream({}, kUnavailable, "one"), Stream({}, kUnavailable, "two")});
  ExpectError(kUnavailable, "two");
  EXPECT_EQ(Requests().size(), 2u);
}

TEST_F(Watch, GivesUpAServerThatIsAwayForTooLong) {
  options_.attempts_max = 1;
  options_.timeout_ms = 4000;
  std::deque<FakeReply> replies(50, Stream({}, kUnavailable, "away"));
  replies.push_front(Stream({Message(1, 1)}, kUnavailable, "gone"));
  Begin(replies);
  ExpectEvents(1, 1);
  ExpectError(kUnavailable, "away");
  EXPECT_GT(Requests().size(), 2u);
}

TEST_F(Watch, TellsWhenNoEventCameInTime) {
  Begin({Stalled({Message(1, 1)})});
  ExpectEvents(1, 1);
  ExpectError(ANNALS_CLIENT_DEADLINE_EXCEEDED, "no event came in time", 0);
  ExpectError(ANNALS_CLIENT_DEADLINE_EXCEEDED, "no event came in time", 20);
  EXPECT_EQ(Requests().size(), 1u);
}

TEST_F(Watch, TakesASilentConnectionForDead) {
  request_.silence_ms = 1000;
  Begin({Stalled({Message(1, 1)}), Stream({Message(2, 2)})});
  ExpectEvents(1, 2);
  ExpectEnd();
}

TEST_F(Watch, IsCancelledWhileItWaits) {
  Begin({Stalled({Message(1, 1)})});
  ExpectEvents(1, 1);
  std::thread other([this] { annals_client_watch_cancel(watch_); });
  ExpectError(ANNALS_CLIENT_CANCELLED, "the watch was cancelled");
  ExpectError(ANNALS_CLIENT_CANCELLED, "the watch was cancelled");
  other.join();
}

TEST_F(Watch, IsCancelledBetweenStreams) {
  Begin({Stream({}, 8, "busy", StatusDetails("OVERLOADED", {}, 600000))});
  ExpectError(ANNALS_CLIENT_DEADLINE_EXCEEDED, "no event came in time", 200);
  std::thread other([this] { annals_client_watch_cancel(watch_); });
  ExpectError(ANNALS_CLIENT_CANCELLED, "the watch was cancelled");
  other.join();
}

TEST_F(Watch, RefusesAnswersThatAreWrong) {
  Begin({Stream({Message(2, 2)}), Stream({"\x0a\x7f"}), Stream({Message(1, 1) + Message(1, 1)})});
  ExpectError(13, "the server sent another event than that of id 1");
  ExpectError(13, "the server's answer is not a WatchExecutionHistoryResponse");
  ExpectEvents(1, 1);
  ExpectError(13, "the server sent another event than that of id 2");
}

TEST_F(Watch, IsFreedAtAnyMoment) {
  Begin({Stalled({Message(1, 2)})});
  ExpectEvents(1, 1);
}

}  // namespace
}  // namespace annals
