// AppendHistoryEventsStream as a gRPC client sees it.

#include <algorithm>
#include <thread>

#include "proto/wire.h"
#include "tests/rpc/service.h"

namespace annals_test {
namespace {

const char kStream[] = "/annals.v1.HistoryService/AppendHistoryEventsStream";

std::string Request(const AppendRequest &append) {
  return BytesField(1, append.Bytes());
}

std::string Request(const std::string &arn, const std::vector<std::string> &events) {
  AppendRequest append;
  append.arn = arn;
  append.events = events;
  return Request(append);
}

std::string Request(int64_t first_id, int64_t last_id, const std::string &arn = Arn()) {
  return Request(arn, PlainEvents(first_id, last_id));
}

// The exact answer to an append that succeeded.
std::string Appended(int64_t last_id, int64_t appended, int64_t already_stored = 0) {
  return BytesField(1, IntField(1, last_id) + (appended == 0 ? "" : IntField(2, appended)) +
                           (already_stored == 0 ? "" : IntField(3, already_stored)));
}

void ExpectError(const std::optional<std::string> &answer, int code, const std::string &reason,
                 const std::map<std::string, std::string> &metadata, int64_t retry_ms = -1) {
  ASSERT_TRUE(answer.has_value());
  const uint8_t *bytes = reinterpret_cast<const uint8_t *>(answer->data());
  annals_wire_reader reader = {bytes, bytes + answer->size()};
  annals_wire_field field;
  ASSERT_EQ(annals_wire_next(&reader, &field), ANNALS_WIRE_FIELD);
  ASSERT_EQ(reader.at, reader.end);
  ASSERT_EQ(field.number, 2u);
  const ErrorDetails error =
      ReadErrorDetails(std::string(reinterpret_cast<const char *>(field.bytes), field.size));
  EXPECT_EQ(error.code, code);
  EXPECT_EQ(error.reason, reason) << error.message;
  EXPECT_EQ(error.domain, "annals.v1");
  EXPECT_EQ(error.metadata, metadata);
  if (retry_ms >= 0) {
    EXPECT_EQ(error.retry_ms, retry_ms);
  }
}

class AppendStream : public ::testing::Test {
 protected:
  AppendStream() : stream_(service_.client().Open(kStream)) {
  }

  void Send(const std::string &request) {
    ASSERT_TRUE(stream_->Send(request));
  }

  // What comes next must be the stream's end.
  const Reply &End() {
    EXPECT_EQ(stream_->Receive(), std::nullopt);
    return stream_->Finish();
  }

  void ExpectGoodEnd() {
    EXPECT_TRUE(stream_->Close());
    EXPECT_EQ(End().code, GRPC_STATUS_OK);
  }

  void SetPending() {
    annals_faulty_store_set_pending(service_.store(), true);
  }
  void Hold() {
    SetPending();
    annals_faulty_store_set_held(service_.store(), true);
  }
  void LetGo() {
    annals_faulty_store_set_held(service_.store(), false);
  }

  Service service_;
  std::unique_ptr<StreamCall> stream_;
};

TEST_F(AppendStream, OpensAndEndsWithoutARequest) {
  EXPECT_TRUE(stream_->WaitUntilOpen());
  ExpectGoodEnd();
}

TEST_F(AppendStream, EndsBehindTheLastAnswer) {
  ASSERT_TRUE(stream_->Send(Request(1, 3), true));
  EXPECT_EQ(stream_->Receive(), Appended(3, 3));
  EXPECT_EQ(End().code, GRPC_STATUS_OK);
  EXPECT_EQ(service_.StoredFrames(Arn()), FramesOf(PlainEvents(1, 3)));
}

TEST_F(AppendStream, TakesRequestsToOneExecutionAheadOfAnswers) {
  for (int64_t id = 1; id <= 100; id++) {
    Send(Request(id, id));
  }
  for (int64_t id = 1; id <= 100; id++) {
    EXPECT_EQ(stream_->Receive(), Appended(id, 1));
  }
  ExpectGoodEnd();
  EXPECT_EQ(service_.StoredFrames(Arn()), FramesOf(PlainEvents(1, 100)));
}

TEST_F(AppendStream, DoesTheSameOverAStoreThatIsPending) {
  SetPending();
  for (int64_t id = 1; id <= 100; id++) {
    Send(Request(id, id));
  }
  EXPECT_TRUE(stream_->Close());
  for (int64_t id = 1; id <= 100; id++) {
    EXPECT_EQ(stream_->Receive(), Appended(id, 1));
  }
  EXPECT_EQ(End().code, GRPC_STATUS_OK);
}

TEST_F(AppendStream, AnswersInTheOrderOfRequests) {
  for (int round = 1; round <= 3; round++) {
    for (int e = 0; e < 70; e++) {  // more than are under way at once
      Send(Request(round, round, Arn("e" + std::to_string(e))));
    }
    Send(Request(1, round));
  }
  for (int round = 1; round <= 3; round++) {
    for (int e = 0; e < 70; e++) {
      EXPECT_EQ(stream_->Receive(), Appended(round, 1));
    }
    EXPECT_EQ(stream_->Receive(), Appended(round, 1, round - 1));
  }
  ExpectGoodEnd();
}

TEST_F(AppendStream, WorksOnDifferentExecutionsAtOnce) {
  Hold();
  for (int e = 0; e < 10; e++) {
    Send(Request(1, 1, Arn("e" + std::to_string(e))));
  }
  service_.watched().WaitForCalls(10);  // each for its tail
  LetGo();
  for (int e = 0; e < 10; e++) {
    EXPECT_EQ(stream_->Receive(), Appended(1, 1));
  }
}

TEST_F(AppendStream, AnswersFailuresAndGoesOn) {
  Event other = PlainEvent(2);
  other.seconds = kStartSeconds + 1000;
  AppendRequest unreadable;
  unreadable.arn = "\xff";
  Send(Request(1, 3));
  Send(Request(5, 5));
  Send(Request(Arn(), {other.Bytes()}));
  Send(Request(Arn(), {PlainEvent(4).Bytes(), "\xff"}));
  Send(Request("x", PlainEvents(1, 1)));
  Send(Request(unreadable));
  Send("");
  Send(Request(1, 4));
  EXPECT_EQ(stream_->Receive(), Appended(3, 3));
  ExpectError(stream_->Receive(), GRPC_STATUS_FAILED_PRECONDITION, "EVENT_GAP",
              {{"expected_event_id", "4"}});
  ExpectError(stream_->Receive(), GRPC_STATUS_ALREADY_EXISTS, "EVENT_CONFLICT",
              {{"event_id", "2"}, {"expected_event_id", "4"}});
  ExpectError(stream_->Receive(), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_EVENT",
              {{"event_index", "1"}, {"field", ""}});
  ExpectError(stream_->Receive(), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN", {});
  ExpectError(stream_->Receive(), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
              {{"field", "execution_arn"}});
  ExpectError(stream_->Receive(), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN", {});
  EXPECT_EQ(stream_->Receive(), Appended(4, 1, 3));
  ExpectGoodEnd();
}

TEST_F(AppendStream, AnswersFailuresOfTheStore) {
  SetPending();
  service_.Fail(ANNALS_FAULTY_APPEND, ANNALS_STORE_NO_SPACE);
  Send(Request(1, 1));
  ExpectError(stream_->Receive(), GRPC_STATUS_UNAVAILABLE, "NO_SPACE", {});
  Send(Request(1, 1));
  EXPECT_EQ(stream_->Receive(), Appended(1, 1));
  ExpectGoodEnd();
}

TEST_F(AppendStream, EndsAtAMessageThatIsNone) {
  const std::map<std::string, std::string> messages = {
      {"\xff", "request"},
      {IntField(1, 1), "append"},
      {Request(1, 1) + BytesField(2, "x"), "request"},
      {Request(1, 1) + Request(2, 2), "append"},
  };
  SetPending();
  int64_t id = 1;
  for (const auto &message : messages) {
    stream_ = service_.client().Open(kStream);
    Send(Request(id, id));
    Send(message.first);
    EXPECT_EQ(stream_->Receive(), Appended(id, 1));
    ExpectFailure(End(), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
                  {{"field", message.second}});
    id++;
  }
}

TEST_F(AppendStream, HasTheLimitsOfAppends) {
  Send(Request(Arn(), std::vector<std::string>(1001, PlainEvent(1).Bytes())));
  ExpectError(stream_->Receive(), GRPC_STATUS_INVALID_ARGUMENT, "LIMIT_EXCEEDED",
              {{"field", "events"}, {"limit", "1000"}});
  std::vector<std::string> big = PlainEvents(1, 20, 250000);
  Send(Request(Arn(), big));
  ExpectError(stream_->Receive(), GRPC_STATUS_INVALID_ARGUMENT, "LIMIT_EXCEEDED",
              {{"field", "events"}, {"limit", "4194304"}});
  big.resize(15);
  Send(Request(Arn(), big));
  EXPECT_EQ(stream_->Receive(), Appended(15, 15));
  (void)stream_->Send(std::string(9 << 20, 'x'));  // or it is over already
  EXPECT_EQ(End().code, GRPC_STATUS_RESOURCE_EXHAUSTED);
}

// A client that does not read is held back, and gets everything when it does.
TEST_F(AppendStream, HoldsBackAClientThatDoesNotRead) {
  RpcClient slow(service_.port(), GRPC_COMPRESS_NONE, 1000);
  stream_ = slow.Open(kStream);
  constexpr int kRequests = 200;  // they fit into what the server takes unasked
  for (int i = 0; i < kRequests; i++) {
    Send(Request(2, 2));
  }
  EXPECT_EQ(service_.Append(Arn("other"), PlainEvents(1, 1)).code, GRPC_STATUS_OK);
  for (int i = 0; i < kRequests; i++) {
    ExpectError(stream_->Receive(), GRPC_STATUS_FAILED_PRECONDITION, "EVENT_GAP",
                {{"expected_event_id", "1"}});
  }
  ExpectGoodEnd();
}

TEST_F(AppendStream, AnswersWhatIsUnderWayWhenTheServerStops) {
  Hold();
  for (int e = 0; e < 10; e++) {
    Send(Request(1, 1, Arn("e" + std::to_string(e))));
  }
  Send(Request(2, 2, Arn("e0")));  // has to wait
  service_.watched().WaitForCalls(10);
  std::thread stop([this] { service_.Stop(60000); });
  while (RpcClient(service_.port()).Call("/x", "").code == GRPC_STATUS_UNIMPLEMENTED) {
  }
  LetGo();
  for (int e = 0; e < 10; e++) {
    EXPECT_EQ(stream_->Receive(), Appended(1, 1));
  }
  ExpectFailure(End(), GRPC_STATUS_UNAVAILABLE, "DRAINING");
  stop.join();
  EXPECT_EQ(service_.StoredFrames(Arn("e0")), FramesOf(PlainEvents(1, 1)));
}

TEST_F(AppendStream, EndsWhenTheServerStops) {
  Send(Request(1, 1));
  EXPECT_EQ(stream_->Receive(), Appended(1, 1));
  service_.Stop(60000);
  ExpectFailure(End(), GRPC_STATUS_UNAVAILABLE, "DRAINING");
}

TEST_F(AppendStream, EndsWhenItIsCancelled) {
  Hold();
  Send(Request(1, 1));
  Send(Request(2, 2));
  service_.watched().WaitForCalls(1);
  stream_->Cancel();
  EXPECT_EQ(stream_->Finish().code, GRPC_STATUS_CANCELLED);
  LetGo();
  EXPECT_EQ(service_.Append(Arn(), PlainEvents(1, 1)).code, GRPC_STATUS_OK);
}

TEST_F(AppendStream, BearsClientsThatGoAtAnyMoment) {
  SetPending();
  for (int i = 0; i < 60; i++) {
    RpcClient client(service_.port());
    auto stream = client.Open(kStream, i % 3 == 0 ? 1 + i / 10 : 60000);
    for (int64_t id = 1; id <= i % 20; id++) {
      (void)stream->Send(Request(id, id, Arn("e" + std::to_string(id % 5))));
    }
    for (int n = std::min(i % 20, i % 7); n > 0 && stream->Receive().has_value(); n--) {
    }
  }
  service_.Stop(60000);
}

// What there is no room for is told so, and the stream goes on.
TEST(AppendStreams, RefuseWhatThereIsNoRoomFor) {
  ServiceOptions options;
  options.rpc.held_bytes_max = 200000;
  Service service(options);
  auto stream = service.client().Open(kStream);
  const std::vector<std::string> big = PlainEvents(1, 2, 250000);
  ASSERT_TRUE(stream->Send(Request(Arn(), {big[0]})));
  ASSERT_TRUE(stream->Send(Request(Arn("big"), big)));
  ASSERT_TRUE(stream->Send(Request(2, 3), true));
  EXPECT_EQ(stream->Receive(), Appended(1, 1));
  ExpectError(stream->Receive(), GRPC_STATUS_RESOURCE_EXHAUSTED, "OVERLOADED", {}, 1000);
  EXPECT_EQ(stream->Receive(), Appended(3, 2));
  EXPECT_EQ(stream->Receive(), std::nullopt);
  EXPECT_EQ(stream->Finish().code, GRPC_STATUS_OK);
}

// Each execution's events are complete and in order, whatever goes on beside.
TEST(AppendStreams, RunBesideEachOther) {
  constexpr int kStreams = 8;
  constexpr int64_t kEvents = 200;
  Service service;
  std::vector<std::thread> threads;
  for (int i = 0; i < kStreams; i++) {
    threads.emplace_back([&service, i] {
      auto stream = service.client().Open(kStream);
      const std::string own = Arn("own" + std::to_string(i));
      for (int64_t id = 1; id <= kEvents; id++) {
        ASSERT_TRUE(stream->Send(Request(id, id, own)));
        ASSERT_TRUE(stream->Send(Request(id, id, Arn("shared"))));
      }
      ASSERT_TRUE(stream->Close());
      for (int64_t id = 1; id <= kEvents; id++) {
        EXPECT_EQ(stream->Receive(), Appended(id, 1));
        EXPECT_NE(stream->Receive(), std::nullopt);
      }
      EXPECT_EQ(stream->Receive(), std::nullopt);
      EXPECT_EQ(stream->Finish().code, GRPC_STATUS_OK);
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  EXPECT_EQ(service.StoredFrames(Arn("shared")), FramesOf(PlainEvents(1, kEvents)));
}

}  // namespace
}  // namespace annals_test
