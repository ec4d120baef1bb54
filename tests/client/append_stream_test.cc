// Appending on a stream with the library: against the real service, and against servers that break.

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "client/annals.h"
#include "tests/client/fake_server.h"
#include "tests/rpc/service.h"

namespace annals_test {
namespace {

using annals::FakeReply;
using annals::FakeServer;
using annals::StatusDetails;

constexpr int kUnavailable = 14;

// A client's stream, and what a test asks of it.
class Stream {
 public:
  explicit Stream(const std::string &endpoint) : endpoint_(endpoint) {
    options_.endpoint = endpoint_.c_str();
  }
  ~Stream() {
    annals_client_append_stream_free(stream_);
    annals_client_close(client_);
    g_clear_error(&error_);
  }
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;

  struct annals_client_options &options() {
    return options_;
  }

  struct annals_client_append_stream *get() {
    if (stream_ == nullptr) {
      client_ = annals_client_open(&options_, nullptr);
      stream_ = annals_client_append_stream_new(client_, &limits);
    }
    return stream_;
  }

  bool Append(const std::string &arn, const std::vector<std::string> &events) {
    std::vector<struct annals_client_event> views;
    for (const std::string &event : events) {
      views.push_back({reinterpret_cast<const uint8_t *>(event.data()), event.size()});
    }
    struct annals_client_append_request request = {};
    request.execution_arn = arn.c_str();
    request.event_bytes = views.data();
    request.event_count = views.size();
    return annals_client_append_stream_append(get(), &request, this, &error_);
  }

  bool Next(int64_t timeout_ms = -1) {
    return annals_client_append_stream_next(get(), timeout_ms, &outcome, &error_);
  }

  void ExpectAppended(int64_t number, int64_t last_id, int32_t appended, int32_t already = 0) {
    ASSERT_TRUE(Next()) << error_->message;
    EXPECT_EQ(outcome.number, number);
    EXPECT_EQ(outcome.tag, this);
    ASSERT_EQ(outcome.error, nullptr) << outcome.error->message;
    EXPECT_EQ(outcome.result.last_event_id, last_id);
    EXPECT_EQ(outcome.result.appended_count, appended);
    EXPECT_EQ(outcome.result.already_stored_count, already);
  }

  void ExpectRefused(int64_t number, int code, const std::string &reason) {
    ASSERT_TRUE(Next()) << error_->message;
    EXPECT_EQ(outcome.number, number);
    EXPECT_EQ(outcome.tag, this);
    ASSERT_NE(outcome.error, nullptr);
    EXPECT_EQ(outcome.error->code, code);
    EXPECT_EQ(annals_client_error_reason(outcome.error), reason);
  }

  void ExpectNothing() {
    ASSERT_TRUE(Next()) << error_->message;
    EXPECT_EQ(outcome.number, 0);
  }

  void ExpectError(bool result, int code, const std::string &message) {
    ASSERT_FALSE(result);
    EXPECT_EQ(error_->domain, ANNALS_CLIENT_ERROR);
    EXPECT_EQ(error_->code, code);
    EXPECT_EQ(error_->message, message);
    g_clear_error(&error_);
  }

  bool Flush(int64_t timeout_ms = -1) {
    return annals_client_append_stream_flush(get(), timeout_ms, &error_);
  }
  bool Close(int64_t timeout_ms = -1) {
    return annals_client_append_stream_close(get(), timeout_ms, &error_);
  }

  struct annals_client_append_stream_options limits = {};
  struct annals_client_append_outcome outcome = {};

 private:
  std::string endpoint_;
  struct annals_client_options options_ = {};
  struct annals_client *client_ = nullptr;
  struct annals_client_append_stream *stream_ = nullptr;
  GError *error_ = nullptr;
};

/* --- the real service --- */

class AppendStream : public ::testing::Test {
 protected:
  AppendStream() : stream_("127.0.0.1:" + std::to_string(service_.port())) {
  }

  void Hold() {
    annals_faulty_store_set_pending(service_.store(), true);
    annals_faulty_store_set_held(service_.store(), true);
  }
  void LetGo() {
    annals_faulty_store_set_held(service_.store(), false);
  }

  Service service_;
  Stream stream_;
};

TEST_F(AppendStream, GivesOutcomesInOrder) {
  constexpr int64_t kAppends = 500;
  int64_t taken = 0;
  for (int64_t i = 1; i <= kAppends; i++) {
    while (!annals_client_append_stream_has_room(stream_.get())) {
      taken++;
      stream_.ExpectAppended(taken, (taken + 4) / 5, 1);
    }
    ASSERT_TRUE(
        stream_.Append(Arn("e" + std::to_string(i % 5)), PlainEvents((i + 4) / 5, (i + 4) / 5)));
  }
  while (taken++ < kAppends) {
    stream_.ExpectAppended(taken, (taken + 4) / 5, 1);
  }
  stream_.ExpectNothing();
  ASSERT_TRUE(stream_.Close());
  for (int e = 0; e < 5; e++) {
    EXPECT_EQ(service_.StoredFrames(Arn("e" + std::to_string(e))),
              FramesOf(PlainEvents(1, kAppends / 5)));
  }
}

TEST_F(AppendStream, CanBeAskedAtAnyTime) {
  Hold();
  for (int e = 0; e < 10; e++) {
    ASSERT_TRUE(stream_.Append(Arn("e" + std::to_string(e)), PlainEvents(1, 1)));
    stream_.ExpectError(stream_.Next(0), ANNALS_CLIENT_DEADLINE_EXCEEDED,
                        "no outcome came in time");
  }
  LetGo();
  ASSERT_TRUE(stream_.Flush());
}

TEST_F(AppendStream, GoesOnBehindARefusal) {
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 2)));
  ASSERT_TRUE(stream_.Append(Arn(), {PlainEvent(3).Bytes(), "\xff"}));
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(5, 5)));
  ASSERT_TRUE(stream_.Append(Arn("other"), PlainEvents(1, 1)));
  ASSERT_TRUE(stream_.Append("x", PlainEvents(1, 1)));
  ASSERT_TRUE(stream_.Append(Arn(), {PlainEvent(2, 5).Bytes()}));
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 5)));
  stream_.ExpectAppended(1, 2, 2);
  stream_.ExpectRefused(2, ANNALS_CLIENT_INVALID_ARGUMENT, "INVALID_EVENT");
  EXPECT_STREQ(annals_client_error_metadata(stream_.outcome.error, "event_index"), "1");
  stream_.ExpectRefused(3, ANNALS_CLIENT_FAILED_PRECONDITION, "EVENT_GAP");
  EXPECT_STREQ(annals_client_error_metadata(stream_.outcome.error, "expected_event_id"), "3");
  stream_.ExpectAppended(4, 1, 1);
  stream_.ExpectRefused(5, ANNALS_CLIENT_INVALID_ARGUMENT, "INVALID_ARN");
  stream_.ExpectRefused(6, ANNALS_CLIENT_ALREADY_EXISTS, "EVENT_CONFLICT");
  stream_.ExpectAppended(7, 5, 3, 2);
  stream_.ExpectNothing();
}

TEST_F(AppendStream, HoldsBackWhoAppendsTooMuch) {
  stream_.limits = {3, 0};
  for (int e = 0; e < 3; e++) {
    EXPECT_TRUE(annals_client_append_stream_has_room(stream_.get()));
    ASSERT_TRUE(stream_.Append(Arn("e" + std::to_string(e)), PlainEvents(1, 1)));
  }
  EXPECT_EQ(annals_client_append_stream_in_flight(stream_.get()), 3u);
  EXPECT_FALSE(annals_client_append_stream_has_room(stream_.get()));
  stream_.ExpectError(stream_.Append(Arn("e3"), PlainEvents(1, 1)),
                      ANNALS_CLIENT_RESOURCE_EXHAUSTED,
                      "3 appends are in flight: take an outcome first");
  stream_.ExpectAppended(1, 1, 1);
  EXPECT_TRUE(annals_client_append_stream_has_room(stream_.get()));
  ASSERT_TRUE(stream_.Append(Arn("e3"), PlainEvents(1, 1)));
  for (int64_t number = 2; number <= 4; number++) {
    stream_.ExpectAppended(number, 1, 1);
  }
}

TEST_F(AppendStream, HasALimitInBytes) {
  stream_.limits = {0, 100000};
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 2, 99000)));
  EXPECT_TRUE(annals_client_append_stream_has_room(stream_.get()));
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(3, 3, 99000)));
  EXPECT_FALSE(annals_client_append_stream_has_room(stream_.get()));
  stream_.ExpectAppended(1, 2, 2);
  EXPECT_TRUE(annals_client_append_stream_has_room(stream_.get()));
}

TEST_F(AppendStream, RefusesWhatCannotBeSent) {
  stream_.ExpectError(stream_.Append(Arn(), {std::string(9 << 20, 'x')}),
                      ANNALS_CLIENT_INVALID_ARGUMENT,
                      "an append is at most 8388608 bytes, its events at most 4194304");
  stream_.ExpectNothing();
}

TEST_F(AppendStream, RepeatsWhatMayHaveBeenDone) {
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 1)));
  stream_.ExpectAppended(1, 1, 1);
  service_.Fail(ANNALS_FAULTY_APPEND, ANNALS_STORE_UNKNOWN, 1, true);
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(2, 2)));
  stream_.ExpectAppended(2, 2, 0, 1);
}

TEST_F(AppendStream, RepeatsAllBehindWhatFailedForAWhile) {
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 1)));
  stream_.ExpectAppended(1, 1, 1);
  service_.Fail(ANNALS_FAULTY_APPEND, ANNALS_STORE_UNKNOWN);
  for (int64_t id = 2; id <= 4; id++) {
    ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(id, id)));
  }
  for (int64_t id = 2; id <= 4; id++) {
    stream_.ExpectAppended(id, id, 1);
  }
}

TEST_F(AppendStream, FlushTellsOfTheFirstRefusal) {
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 2)));
  ASSERT_TRUE(stream_.Append("x", PlainEvents(1, 1)));
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(4, 4)));
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(3, 3)));
  stream_.ExpectError(stream_.Flush(), ANNALS_CLIENT_INVALID_ARGUMENT, "Invalid ARN prefix: x");
  EXPECT_EQ(annals_client_append_stream_in_flight(stream_.get()), 0u);
  EXPECT_EQ(service_.StoredFrames(Arn()), FramesOf(PlainEvents(1, 3)));
  EXPECT_TRUE(stream_.Flush());
}

TEST_F(AppendStream, FlushRemembersARefusalWhileItIsNotDone) {
  ASSERT_TRUE(stream_.Append("x", PlainEvents(1, 1)));
  Hold();
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 1)));
  stream_.ExpectError(stream_.Flush(100), ANNALS_CLIENT_DEADLINE_EXCEEDED,
                      "no outcome came in time");
  LetGo();
  stream_.ExpectError(stream_.Flush(), ANNALS_CLIENT_INVALID_ARGUMENT, "Invalid ARN prefix: x");
}

TEST_F(AppendStream, IsClosedOnce) {
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 2)));
  ASSERT_TRUE(stream_.Close());
  ASSERT_TRUE(stream_.Close());
  stream_.ExpectError(stream_.Append(Arn(), PlainEvents(3, 3)), ANNALS_CLIENT_FAILED_PRECONDITION,
                      "the append stream is closed");
  stream_.ExpectNothing();
  EXPECT_EQ(service_.StoredFrames(Arn()), FramesOf(PlainEvents(1, 2)));
}

TEST_F(AppendStream, IsClosedUnused) {
  ASSERT_TRUE(stream_.Close());
}

TEST_F(AppendStream, IsCancelledWhileItWaits) {
  Hold();
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 1)));
  service_.watched().WaitForCalls(1);
  std::thread other([this] { annals_client_append_stream_cancel(stream_.get()); });
  stream_.ExpectError(stream_.Next(), ANNALS_CLIENT_CANCELLED, "the append stream was cancelled");
  other.join();
  stream_.ExpectError(stream_.Next(), ANNALS_CLIENT_CANCELLED, "the append stream was cancelled");
  stream_.ExpectError(stream_.Append(Arn(), PlainEvents(1, 1)), ANNALS_CLIENT_CANCELLED,
                      "the append stream was cancelled");
  stream_.ExpectError(stream_.Close(), ANNALS_CLIENT_CANCELLED, "the append stream was cancelled");
  LetGo();
}

TEST_F(AppendStream, GoesOnWhenAServerWasSilentForTooLong) {
  stream_.options().timeout_ms = 200;
  Hold();
  ASSERT_TRUE(stream_.Append(Arn(), PlainEvents(1, 1)));
  stream_.ExpectError(stream_.Next(), ANNALS_CLIENT_DEADLINE_EXCEEDED,
                      "the server did not answer an append in time");
  LetGo();
  for (int tries = 0; tries < 300 && !stream_.Next(); tries++) {
    stream_.ExpectError(false, ANNALS_CLIENT_DEADLINE_EXCEEDED,
                        "the server did not answer an append in time");
  }
  EXPECT_EQ(stream_.outcome.number, 1);
  EXPECT_EQ(stream_.outcome.result.last_event_id, 1);
}

TEST_F(AppendStream, IsFreedAtAnyMoment) {
  Hold();
  for (int i = 0; i < 20; i++) {
    Stream stream("127.0.0.1:" + std::to_string(service_.port()));
    for (int64_t id = 1; id <= i; id++) {
      ASSERT_TRUE(stream.Append(Arn("e" + std::to_string(id % 3)), PlainEvents(id, id)));
    }
  }
  LetGo();
}

/* --- servers that break --- */

std::string Appended(int64_t last_id) {
  return BytesField(1, IntField(1, last_id) + IntField(2, 1));
}

FakeReply Answer(const std::string &bytes) {
  FakeReply reply;
  reply.body = bytes;
  reply.goes_on = true;
  return reply;
}

FakeReply End(int code, const std::string &message = "", const std::string &details = "") {
  FakeReply reply;
  reply.without_body = true;
  reply.code = code;
  reply.message = message;
  reply.details = details;
  return reply;
}

// What the server says to each message, on one stream after the other.
class BrokenAppendStream : public ::testing::Test {
 protected:
  BrokenAppendStream()
      : server_([this](const std::string &method, const std::string &message) {
          return Take(method, message);
        }),
        stream_(server_.endpoint()) {
  }

  void Say(std::deque<FakeReply> replies) {
    std::lock_guard<std::mutex> lock(mutex_);
    replies_ = std::move(replies);
  }

  // What it says to the message with this event.
  void SayTo(std::function<FakeReply(int64_t)> say) {
    std::lock_guard<std::mutex> lock(mutex_);
    say_ = std::move(say);
  }

  // Appends the events first to last, one by one.
  void Append(int64_t first, int64_t last) {
    for (int64_t id = first; id <= last; id++) {
      ASSERT_TRUE(stream_.Append("a", PlainEvents(id, id)));
    }
  }

  // The ids of the messages so far.
  std::vector<int64_t> Messages() {
    std::lock_guard<std::mutex> lock(mutex_);
    return messages_;
  }

 private:
  FakeReply Take(const std::string &method, const std::string &message) {
    std::lock_guard<std::mutex> lock(mutex_);
    EXPECT_EQ(method, "/annals.v1.HistoryService/AppendHistoryEventsStream");
    for (int64_t id = 1; id < 20; id++) {
      if (message == BytesField(1, BytesField(1, "a") + BytesField(2, PlainEvent(id).Bytes()))) {
        messages_.push_back(id);
      }
    }
    if (say_) {
      return say_(messages_.back());
    }
    if (replies_.empty()) {
      return End(13, "the test has no more to say");
    }
    FakeReply reply = replies_.front();
    replies_.pop_front();
    return reply;
  }

 private:
  std::mutex mutex_;
  std::deque<FakeReply> replies_;
  std::function<FakeReply(int64_t)> say_;
  std::vector<int64_t> messages_;
  FakeServer server_;

 protected:
  Stream stream_;
};

TEST_F(BrokenAppendStream, SendsAgainWhatHasNoOutcome) {
  Say({Answer(Appended(1)), Answer(Appended(2)), End(kUnavailable, "gone"),
       End(kUnavailable, "still gone"), Answer(Appended(3)), End(1, "cut off"),
       Answer(Appended(4))});
  Append(1, 4);
  for (int64_t id = 1; id <= 4; id++) {
    stream_.ExpectAppended(id, id, 1);
  }
  stream_.ExpectNothing();
  EXPECT_EQ(Messages(), std::vector<int64_t>({1, 2, 3, 3, 3, 4, 4}));
}

// Whether or not the third one comes before the client has heard of the second.
TEST_F(BrokenAppendStream, SendsAgainAllBehindWhatIsToBeRepeated) {
  bool busy = true;
  int64_t stored = 0;
  SayTo([&](int64_t id) {
    if (id == 2 && std::exchange(busy, false)) {
      return Answer(BytesField(2, IntField(1, 8) + StatusDetails("OVERLOADED", {}, 1)));
    }
    if (id > stored + 1) {
      return Answer(BytesField(2, IntField(1, 9) + StatusDetails("EVENT_GAP", {})));
    }
    stored = id;
    return Answer(Appended(id));
  });
  Append(1, 4);
  for (int64_t id = 1; id <= 4; id++) {
    stream_.ExpectAppended(id, id, 1);
  }
  EXPECT_FALSE(busy);
}

TEST_F(BrokenAppendStream, GivesUpAServerThatItHasNeverReached) {
  stream_.options().attempts_max = 2;
  Say({End(kUnavailable, "one"), End(kUnavailable, "two"), Answer(Appended(1))});
  Append(1, 1);
  stream_.ExpectError(stream_.Next(), kUnavailable, "two");
  stream_.ExpectAppended(1, 1, 1);  // asked again, it goes on
}

TEST_F(BrokenAppendStream, GivesUpAServerThatIsAwayForTooLong) {
  stream_.options().attempts_max = 1;
  stream_.options().timeout_ms = 4000;
  std::deque<FakeReply> replies(50, End(kUnavailable, "away"));
  replies.push_front(Answer(Appended(1)));
  Say(replies);
  Append(1, 2);
  stream_.ExpectAppended(1, 1, 1);
  stream_.ExpectError(stream_.Next(), kUnavailable, "away");
  EXPECT_GT(Messages().size(), 2u);
}

TEST_F(BrokenAppendStream, FailsWhereNothingHelps) {
  Say({End(16, "who is there?", StatusDetails("UNAUTHENTICATED", {})), Answer(Appended(1))});
  Append(1, 1);
  stream_.ExpectError(stream_.Next(), 16, "who is there?");
  stream_.ExpectAppended(1, 1, 1);
}

TEST_F(BrokenAppendStream, RefusesAnswersThatAreWrong) {
  const std::string wrong = "the server's answer is not an AppendHistoryEventsStreamResponse";
  const std::string answers[] = {"",
                                 "\xff",
                                 IntField(1, 1),
                                 BytesField(3, ""),
                                 BytesField(2, ""),
                                 BytesField(1, "\xff"),
                                 Appended(1) + Appended(1)};
  std::deque<FakeReply> replies;
  for (const std::string &answer : answers) {
    replies.push_back(Answer(answer));
  }
  replies.push_back(Answer(Appended(1)));
  Say(replies);
  Append(1, 1);
  for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
    stream_.ExpectError(stream_.Next(), 13, wrong);
  }
  stream_.ExpectAppended(1, 1, 1);
}

TEST_F(BrokenAppendStream, IsCancelledBetweenStreams) {
  Say({End(8, "busy", StatusDetails("OVERLOADED", {}, 600000))});
  Append(1, 1);
  stream_.ExpectError(stream_.Next(200), ANNALS_CLIENT_DEADLINE_EXCEEDED,
                      "no outcome came in time");
  std::thread other([this] { annals_client_append_stream_cancel(stream_.get()); });
  stream_.ExpectError(stream_.Next(), ANNALS_CLIENT_CANCELLED, "the append stream was cancelled");
  other.join();
}

}  // namespace
}  // namespace annals_test
