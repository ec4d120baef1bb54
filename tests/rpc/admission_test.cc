// How much of large appends is received at once.

#include <thread>

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

const char kStream[] = "/annals.v1.HistoryService/AppendHistoryEventsStream";
constexpr size_t kMib = 1 << 20;

// Nearly 3 MiB.
std::string Large(const std::string &name) {
  AppendRequest append;
  append.arn = Arn(name);
  append.events = PlainEvents(1, 12, 250000);
  return append.Bytes();
}

std::string Appended12() {
  return BytesField(1, IntField(1, 12) + IntField(2, 12));
}

class Admission : public ::testing::Test {
 protected:
  ~Admission() override {
    service_.reset();
    annals_metrics_free(metrics_);
  }
  void Start(size_t admitted_bytes_max) {
    ServiceOptions options = Threads(1);
    options.rpc.admitted_bytes_max = admitted_bytes_max;
    options.rpc.held_bytes_max = 24 * kMib;
    options.rpc.receive_ms = 100;
    options.rpc.metrics = metrics_;
    service_ = std::make_unique<Service>(options);
    annals_faulty_store_set_pending(service_->store(), true);
    annals_faulty_store_set_held(service_->store(), true);
  }
  void LetGo() {
    annals_faulty_store_set_held(service_->store(), false);
  }

  // Sends two large appends, of which the second cannot be received before the first is done.
  void SendTwo() {
    sender_ = std::thread([this] {
      EXPECT_TRUE(stream_->Send(BytesField(1, Large("a"))));
      (void)stream_->Send(BytesField(1, Large("b")));  // or it is over already
    });
    service_->watched().WaitForCalls(1);
  }

  // Waits until streams have answered so many appends that cannot be read.
  void WaitForWrongAppends(int count) {
    const std::string line =
        "annals_stream_appends_total{code=\"INVALID_ARGUMENT\",reason=\"INVALID_REQUEST\"} " +
        std::to_string(count) + "\n";
    for (bool there = false; !there;) {
      GString *text = annals_metrics_text(metrics_);
      there = strstr(text->str, line.c_str()) != nullptr;
      g_string_free(text, TRUE);
    }
  }

  annals_metrics *metrics_ = annals_metrics_new();
  std::unique_ptr<Service> service_;
  std::unique_ptr<StreamCall> stream_;
  std::thread sender_;
};

// Nothing is refused that can wait: all at once would be more than may be held.
TEST_F(Admission, HasLargeMessagesOfAStreamWait) {
  constexpr int kMessages = 10;
  Start(8 * kMib);
  stream_ = service_->client().Open(kStream);
  sender_ = std::thread([this] {
    for (int i = 0; i < kMessages; i++) {
      EXPECT_TRUE(stream_->Send(BytesField(1, Large("e" + std::to_string(i)))));
    }
  });
  service_->watched().WaitForCalls(2);
  EXPECT_EQ(RpcClient(service_->port()).Call("/x", "").code, GRPC_STATUS_UNIMPLEMENTED);
  LetGo();
  sender_.join();
  for (int i = 0; i < kMessages; i++) {
    EXPECT_EQ(stream_->Receive(), Appended12()) << i;
  }
  EXPECT_TRUE(stream_->Close());
  EXPECT_EQ(stream_->Receive(), std::nullopt);
  EXPECT_EQ(stream_->Finish().code, GRPC_STATUS_OK);
}

TEST_F(Admission, BearsStreamsThatGoAsTheyWait) {
  Start(4 * kMib);
  stream_ = service_->client().Open(kStream);
  SendTwo();
  stream_->Cancel();
  sender_.join();
  EXPECT_EQ(stream_->Finish().code, GRPC_STATUS_CANCELLED);
  LetGo();
  const Reply reply = RpcClient(service_->port()).Call(kAppendPath, Large("c"));
  EXPECT_EQ(Appended(reply).appended, 12);
}

TEST_F(Admission, EndsStreamsThatWaitWhenTheServerStops) {
  Start(4 * kMib);
  stream_ = service_->client().Open(kStream);
  SendTwo();
  std::thread stop([this] { service_->Stop(60000); });
  while (RpcClient(service_->port()).Call("/x", "").code == GRPC_STATUS_UNIMPLEMENTED) {
  }
  LetGo();
  sender_.join();
  EXPECT_EQ(stream_->Receive(), Appended12());
  std::optional<std::string> second = stream_->Receive();
  if (second.has_value()) {  // it has waited for so long that it was let in
    EXPECT_EQ(second, Appended12());
    second = stream_->Receive();
  }
  EXPECT_EQ(second, std::nullopt);
  ExpectFailure(stream_->Finish(), GRPC_STATUS_UNAVAILABLE, "DRAINING");
  stop.join();
}

// A stream that may receive no more, as nobody has taken the answers before, keeps no room for its
// last message, which was wrong and is gone.
TEST_F(Admission, GivesRoomBackForWhatIsWrong) {
  constexpr int kItemsMax = 64;
  Start(4 * kMib);
  const std::string cut = "\x0a";  // a field without its length
  const std::string small = BytesField(1, cut);
  const std::string large = Large("a") + cut;
  std::vector<std::unique_ptr<StreamCall>> streams;
  for (int i = 0; i < 2; i++) {
    AppendRequest first;
    first.arn = Arn("e" + std::to_string(i));
    first.events = PlainEvents(1, 1);
    streams.push_back(service_->client().Open(kStream));
    EXPECT_TRUE(streams[i]->Send(BytesField(1, first.Bytes())));
    for (int item = 1; item < kItemsMax - 1; item++) {
      EXPECT_TRUE(streams[i]->Send(small));
    }
    EXPECT_TRUE(streams[i]->Send(BytesField(1, large)));
  }
  WaitForWrongAppends(2 * (kItemsMax - 1));
  ExpectFailure(service_->client().Call(kAppendPath, large), GRPC_STATUS_INVALID_ARGUMENT,
                "INVALID_REQUEST", {{"field", "request"}});
  LetGo();
}

// Those who keep others waiting for nothing are given up, when no more can be let in beside them.
TEST_F(Admission, GivesUpCallsThatSendNothing) {
  Start(4 * kMib);
  LetGo();
  CallOptions stalled;
  stalled.stalled = true;
  std::vector<std::unique_ptr<PendingCall>> calls;
  EXPECT_EQ(service_->client().Call("/x", "").code, GRPC_STATUS_UNIMPLEMENTED);  // connects
  for (int i = 0; i < 2; i++) {
    calls.push_back(service_->client().Start(kAppendPath, "", stalled));
  }
  EXPECT_EQ(Appended(service_->client().Call(kAppendPath, Large("a"))).appended, 12);
  ExpectFailure(calls[0]->Wait(), GRPC_STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
  EXPECT_EQ(calls[0]->Wait().message, "the request has not come in time");
  calls[1]->Cancel();
}

}  // namespace
}  // namespace annals_test
