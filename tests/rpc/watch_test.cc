// WatchExecutionHistory and DeleteExecution as a gRPC client sees them.

#include <thread>

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

const char kWatch[] = "/annals.v1.HistoryService/WatchExecutionHistory";
const char kDelete[] = "/annals.v1.HistoryService/DeleteExecution";

struct WatchRequest {
  std::string arn = Arn();
  int64_t from_event_id = 0;
  bool with_data = true;
  bool follow_redrives = false;
  std::string Bytes() const {
    return BytesField(1, arn) + (from_event_id == 0 ? "" : IntField(2, from_event_id)) +
           (with_data ? "" : BytesField(3, "")) + (follow_redrives ? IntField(4, 1) : "");
  }
};

std::string Terminal(int64_t id, int64_t type = EXECUTION_SUCCEEDED) {
  Event event;
  event.id = id;
  event.type = type;
  event.seconds = kStartSeconds + id;
  return event.Bytes();
}

class Watch : public ::testing::Test {
 protected:
  void Put(int64_t first_id, int64_t last_id, size_t input_size = 0,
           const std::string &arn = Arn()) {
    EXPECT_EQ(
        Appended(service_.Append(arn, PlainEvents(first_id, last_id, input_size))).last_event_id,
        last_id);
  }

  std::unique_ptr<StreamCall> Open(const WatchRequest &request = {}) {
    auto watch = service_.client().Open(kWatch);
    (void)watch->Send(request.Bytes(), true);  // or it is over already
    return watch;
  }

  void ExpectError(const WatchRequest &request, int code, const std::string &reason,
                   const std::map<std::string, std::string> &metadata) {
    auto watch = Open(request);
    EXPECT_EQ(watch->Receive(), std::nullopt);
    ExpectFailure(watch->Finish(), code, reason, metadata);
  }

  // All that comes until the stream ends with success, frame by frame.
  std::string Drain(StreamCall &watch) {
    std::string frames;
    while (std::optional<std::string> message = watch.Receive()) {
      frames += *message;
    }
    EXPECT_EQ(watch.Finish().code, GRPC_STATUS_OK);
    return frames;
  }

  Service service_;
};

TEST_F(Watch, GivesWhatIsStoredThenWhatComes) {
  Put(1, 3);
  auto watch = Open();
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 3)));
  Put(4, 5);
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(4, 5)));
  ASSERT_EQ(service_.Append(Arn(), {Terminal(6)}).code, GRPC_STATUS_OK);
  EXPECT_EQ(Drain(*watch), FramesOf({Terminal(6)}));
}

TEST_F(Watch, IsTheSameOverAStoreThatIsPending) {
  annals_faulty_store_set_pending(service_.store(), true);
  Put(1, 3);
  auto watch = Open();
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 3)));
  ASSERT_EQ(service_.Append(Arn(), {Terminal(4)}).code, GRPC_STATUS_OK);
  EXPECT_EQ(Drain(*watch), FramesOf({Terminal(4)}));
}

TEST_F(Watch, GoesOnWhereAClientWasCutOff) {
  Put(1, 3);
  {
    auto watch = Open();
    EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 3)));
    watch->Cancel();
    EXPECT_EQ(watch->Finish().code, GRPC_STATUS_CANCELLED);
  }
  Put(4, 4);
  auto watch = Open({Arn(), 4});
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(4, 4)));
  ASSERT_EQ(service_.Append(Arn(), {Terminal(5)}).code, GRPC_STATUS_OK);
  EXPECT_EQ(Drain(*watch), FramesOf({Terminal(5)}));
  EXPECT_EQ(Drain(*Open({Arn(), 6})), "");
}

TEST_F(Watch, StaysForRedrives) {
  Put(1, 1);
  ASSERT_EQ(service_.Append(Arn(), {Terminal(2)}).code, GRPC_STATUS_OK);
  auto watch = Open({Arn(), 3, true, true});
  EXPECT_TRUE(watch->WaitUntilOpen());
  ASSERT_EQ(service_.Append(Arn(), {Terminal(3, EXECUTION_REDRIVEN)}).code, GRPC_STATUS_OK);
  EXPECT_EQ(watch->Receive(), FramesOf({Terminal(3, EXECUTION_REDRIVEN)}));
}

TEST_F(Watch, LeavesDataOut) {
  Put(1, 2, 1000);
  Event bare = PlainEvent(2);
  bare.details = BytesField(STATE_ENTERED_DETAILS, BytesField(1, "State"));
  PageRequest page;
  page.arn = Arn();
  page.with_data = false;
  auto watch = Open({Arn(), 0, false});
  EXPECT_EQ(watch->Receive(), service_.Get(page).body);
}

TEST_F(Watch, HoldsASlowClientBackAndLosesNothing) {
  constexpr int64_t kEvents = 60;
  constexpr size_t kInput = 100000;
  Put(1, 1);
  RpcClient slow(service_.port(), GRPC_COMPRESS_NONE, 64 * 1024);
  auto watch = slow.Open(kWatch);
  ASSERT_TRUE(watch->Send(WatchRequest().Bytes(), true));
  for (int64_t id = 2; id <= kEvents; id++) {
    Put(id, id, kInput);
  }
  ASSERT_EQ(service_.Append(Arn(), {Terminal(kEvents + 1)}).code, GRPC_STATUS_OK);
  std::vector<std::string> events = PlainEvents(1, kEvents, kInput);
  events[0] = PlainEvent(1).Bytes();
  events.push_back(Terminal(kEvents + 1));
  EXPECT_EQ(Drain(*watch), FramesOf(events));
}

TEST_F(Watch, FailsWhenTheExecutionIsDeleted) {
  Put(1, 3);
  auto watch = Open();
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 3)));
  EXPECT_EQ(service_.client().Call(kDelete, BytesField(1, Arn())).body, "");
  EXPECT_EQ(watch->Receive(), std::nullopt);
  ExpectFailure(watch->Finish(), GRPC_STATUS_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST",
                {{"execution_arn", Arn()}});
  ExpectFailure(service_.client().Call(kDelete, BytesField(1, Arn())), GRPC_STATUS_NOT_FOUND,
                "EXECUTION_DOES_NOT_EXIST", {{"execution_arn", Arn()}});
  Put(1, 2); /* the name is free */
}

TEST_F(Watch, RefusesWhatCannotBeWatched) {
  ExpectError({}, GRPC_STATUS_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST", {{"execution_arn", Arn()}});
  ExpectError({"x"}, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN", {});
  ExpectError({Arn(), -1}, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
              {{"field", "from_event_id"}});
  Put(1, 3);
  ExpectError({Arn(), 5}, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
              {{"field", "from_event_id"}, {"last_event_id", "3"}});
  auto watch = service_.client().Open(kWatch);
  EXPECT_TRUE(watch->Send("\xff", true));
  EXPECT_EQ(watch->Receive(), std::nullopt);
  ExpectFailure(watch->Finish(), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
                {{"field", "request"}});
}

TEST_F(Watch, RefusesWhatCannotBeDeleted) {
  ExpectFailure(service_.client().Call(kDelete, BytesField(1, "x")), GRPC_STATUS_INVALID_ARGUMENT,
                "INVALID_ARN");
  ExpectFailure(service_.client().Call(kDelete, "\xff"), GRPC_STATUS_INVALID_ARGUMENT,
                "INVALID_REQUEST", {{"field", "request"}});
}

TEST_F(Watch, EndsWhenTheServerStops) {
  Put(1, 3);
  auto watch = Open();
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 3)));
  service_.Stop(60000);
  EXPECT_EQ(watch->Receive(), std::nullopt);
  ExpectFailure(watch->Finish(), GRPC_STATUS_UNAVAILABLE, "DRAINING");
}

TEST(WatchHeartbeat, SaysThatTheStreamIsAlive) {
  ServiceOptions options;
  options.rpc.heartbeat_ms = 20;
  Service service(options);
  ASSERT_EQ(service.Append(Arn(), PlainEvents(1, 1)).code, GRPC_STATUS_OK);
  auto watch = service.client().Open(kWatch);
  ASSERT_TRUE(watch->Send(WatchRequest().Bytes(), true));
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 1)));
  EXPECT_EQ(watch->Receive(), "");
  EXPECT_EQ(watch->Receive(), "");
  ASSERT_EQ(service.Append(Arn(), PlainEvents(2, 2)).code, GRPC_STATUS_OK);
  std::optional<std::string> message;
  do {
    message = watch->Receive();
  } while (message == "");
  EXPECT_EQ(message, FramesOf(PlainEvents(2, 2)));
  EXPECT_EQ(watch->Receive(), "");
}

// Each event once and in order to each, however appends, watches and heartbeats meet.
TEST(WatchMany, MissNothing) {
  constexpr int kWatches = 40;
  constexpr int kExecutions = 4;
  constexpr int64_t kEvents = 60;
  ServiceOptions options;
  options.rpc.heartbeat_ms = 1;
  Service service(options);
  for (int e = 0; e < kExecutions; e++) {
    ASSERT_EQ(service.Append(Arn("e" + std::to_string(e)), PlainEvents(1, 1)).code, GRPC_STATUS_OK);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < kWatches; i++) {
    threads.emplace_back([&service, i] {
      auto watch = service.client().Open(kWatch);
      ASSERT_TRUE(
          watch->Send(WatchRequest{Arn("e" + std::to_string(i % kExecutions))}.Bytes(), true));
      std::string frames;
      while (std::optional<std::string> message = watch->Receive()) {
        frames += *message;
      }
      EXPECT_EQ(watch->Finish().code, GRPC_STATUS_OK);
      std::vector<std::string> events = PlainEvents(1, kEvents);
      events.push_back(Terminal(kEvents + 1));
      EXPECT_EQ(frames, FramesOf(events));
    });
  }
  for (int64_t id = 2; id <= kEvents; id++) {
    for (int e = 0; e < kExecutions; e++) {
      ASSERT_EQ(service.Append(Arn("e" + std::to_string(e)), PlainEvents(id, id)).code,
                GRPC_STATUS_OK);
    }
  }
  for (int e = 0; e < kExecutions; e++) {
    ASSERT_EQ(service.Append(Arn("e" + std::to_string(e)), {Terminal(kEvents + 1)}).code,
              GRPC_STATUS_OK);
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace annals_test
