// How much the server takes on at once, of what can be counted.

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

const char kCheck[] = "/grpc.health.v1.Health/Check";
const char kWatch[] = "/grpc.health.v1.Health/Watch";
const char kReflection[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

std::string Page() {
  PageRequest request;
  request.arn = Arn();
  return request.Bytes();
}

void ExpectOverloaded(const Reply &reply) {
  ExpectFailure(reply, GRPC_STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
  EXPECT_EQ(reply.message, "too many calls are under way");
  EXPECT_EQ(reply.error.retry_ms, 1000);
}

TEST(Limit, OfCallsUnderWay) {
  ServiceOptions options = Threads(1);
  options.rpc.calls_max = 2;
  Service service(options);
  ASSERT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 3))).appended, 3);
  annals_faulty_store_set_pending(service.store(), true);
  annals_faulty_store_set_held(service.store(), true);
  auto first = service.client().Start(kPagePath, Page());
  auto second = service.client().Start(kPagePath, Page());
  service.watched().WaitForCalls(4);
  ExpectOverloaded(service.client().Call(kPagePath, Page()));
  ExpectOverloaded(service.Append(Arn(), PlainEvents(4, 4)));
  EXPECT_EQ(service.client().Call(kCheck, "").body, IntField(1, 1));  // nobody is dead
  first->Cancel();  // its work goes on: it still counts
  ExpectOverloaded(service.client().Call(kPagePath, Page()));
  annals_faulty_store_set_held(service.store(), false);
  EXPECT_EQ(second->Wait().code, GRPC_STATUS_OK);
  while (service.client().Call(kPagePath, Page()).code != GRPC_STATUS_OK) {
  }
}

TEST(Limit, OfStreams) {
  ServiceOptions options;
  options.rpc.streams_max = 2;
  Service service(options);
  auto open = [&] {
    auto watch = service.client().Open(kWatch);
    EXPECT_TRUE(watch->Send("", true));
    return watch;
  };
  auto first = open();
  auto second = open();
  EXPECT_EQ(first->Receive(), IntField(1, 1));
  EXPECT_EQ(second->Receive(), IntField(1, 1));
  ExpectOverloaded(open()->Finish());
  ExpectOverloaded(service.client().Open(kReflection)->Finish());
  EXPECT_EQ(service.client().Call(kCheck, "").body, IntField(1, 1));
  EXPECT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 3))).appended, 3);
  first.reset();
  while (open()->Receive() == std::nullopt) {
  }
}

// More than that wait with their client, and only there.
TEST(Limit, OfStreamsOfAConnection) {
  ServiceOptions options;
  options.rpc.connection_streams_max = 1;
  Service service(options);
  auto watch = service.client().Open(kWatch);
  EXPECT_TRUE(watch->Send("", true));
  EXPECT_EQ(watch->Receive(), IntField(1, 1));
  CallOptions soon;
  soon.timeout_ms = 100;
  EXPECT_EQ(service.client().Call(kCheck, "", soon).code, GRPC_STATUS_DEADLINE_EXCEEDED);
  EXPECT_EQ(RpcClient(service.port()).Call(kCheck, "").code, GRPC_STATUS_OK);
  watch->Cancel();
  EXPECT_EQ(service.client().Call(kCheck, "").code, GRPC_STATUS_OK);
}

// The core answers, and closes the connection.
TEST(Limit, OfMetadata) {
  Service service;
  CallOptions options;
  options.metadata = std::string(ANNALS_RPC_METADATA_BYTES_MAX - 1024, 'x');
  EXPECT_EQ(service.client().Call(kCheck, "", options).code, GRPC_STATUS_OK);
  options.metadata = std::string(ANNALS_RPC_METADATA_BYTES_MAX, 'x');
  EXPECT_EQ(service.client().Call(kCheck, "", options).code, GRPC_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(RpcClient(service.port()).Call(kCheck, "").code, GRPC_STATUS_OK);
}

// Streams of a client that takes a thousand bytes, of which each answer has more.
class StalledStream : public ::testing::Test {
 protected:
  StalledStream() : client_(service_.port(), GRPC_COMPRESS_NONE, 1000) {
    stream_ = client_.Open(kReflection);
  }

  // Returns when the server has begun to answer: it takes what comes on a connection in order.
  void Ask() {
    ASSERT_TRUE(stream_->Send(BytesField(3, "annals/v1/history_service.proto")));
    EXPECT_EQ(client_.Call(kCheck, "").code, GRPC_STATUS_OK);
  }

  Service service_{Threads(1)};
  RpcClient client_;
  std::unique_ptr<StreamCall> stream_;
};

TEST_F(StalledStream, HoldsNobodyElseBack) {
  for (int i = 0; i < 100; i++) {
    Ask();
  }
  EXPECT_EQ(Appended(service_.Append(Arn(), PlainEvents(1, 3))).appended, 3);
  EXPECT_TRUE(stream_->Close());
  for (int i = 0; i < 100; i++) {
    ASSERT_TRUE(stream_->Receive().has_value()) << i;
  }
  EXPECT_EQ(stream_->Receive(), std::nullopt);
  EXPECT_EQ(stream_->Finish().code, GRPC_STATUS_OK);
}

TEST_F(StalledStream, EndsWhenItIsCancelled) {
  Ask();
  stream_->Cancel();
  EXPECT_EQ(stream_->Finish().code, GRPC_STATUS_CANCELLED);
  service_.Stop(600000);  // which would wait for it
}

TEST_F(StalledStream, DoesNotKeepTheServerFromStopping) {
  Ask();
  service_.Stop(600000);
  while (stream_->Receive().has_value()) {
  }
  EXPECT_EQ(stream_->Finish().code, GRPC_STATUS_UNAVAILABLE);
}

}  // namespace
}  // namespace annals_test
