// Starting and stopping, with whatever is under way.

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough to tell from not waiting at all, on a slow machine and under a sanitizer.
enum { SHORT_MS = 200, LONG_MS = 60000 };

PageRequest WholeHistory() {
  PageRequest request;
  request.arn = Arn();
  return request;
}

annals_rpc_server *Bind(const char *address, unsigned thread_count, GError **error) {
  annals_rpc_options options = {};
  options.address = address;
  options.thread_count = thread_count;
  return annals_rpc_server_bind(&options, error);
}

class Stop : public ::testing::Test {
 protected:
  Stop() {
    EXPECT_EQ(Appended(service_.Append(Arn(), PlainEvents(1, 3))).appended, 3);
  }

  // Starts pages that the store holds, each on a connection of its own.
  void StartPages(int count) {
    annals_faulty_store_set_pending(service_.store(), true);
    annals_faulty_store_set_held(service_.store(), true);
    for (int i = 0; i < count; i++) {
      clients_.push_back(std::make_unique<RpcClient>(service_.port()));
      calls_.push_back(clients_.back()->Start(kPagePath, WholeHistory().Bytes()));
    }
    service_.watched().WaitForCalls(2 + count);  // two for the first events
  }

  // Returns when new calls are not taken any more.
  void WaitUntilDeaf() {
    while (RpcClient(service_.port()).Call("/x", "").code == GRPC_STATUS_UNIMPLEMENTED) {
    }
  }

  Service service_;
  std::vector<std::unique_ptr<RpcClient>> clients_;
  std::vector<std::unique_ptr<PendingCall>> calls_;
};

TEST(Start, TellsThePortItHasFound) {
  GError *error = nullptr;
  annals_rpc_server *server = Bind("127.0.0.1:0", 1, &error);
  ASSERT_NE(server, nullptr);
  EXPECT_GT(annals_rpc_server_port(server), 0);
  annals_rpc_server_free(server);
}

TEST(Start, FailsOnAPortInUse) {
  Service service;
  const std::string address = "127.0.0.1:" + std::to_string(service.port());
  GError *error = nullptr;
  EXPECT_EQ(Bind(address.c_str(), 2, &error), nullptr);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->domain, G_FILE_ERROR);
  EXPECT_EQ(error->message, "cannot listen on " + address +
                                ": the port is in use, or the address is not this machine's");
  g_error_free(error);
  EXPECT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 1))).appended, 1);
}

TEST(Start, FailsOnAnAddressThatIsNone) {
  for (const char *address : {"203.0.113.1:0", ""}) {
    GError *error = nullptr;
    EXPECT_EQ(Bind(address, 1, &error), nullptr) << address;
    ASSERT_NE(error, nullptr) << address;
    g_error_free(error);
  }
}

TEST(Start, IsUndoneByFreeingAServerThatNeverRan) {
  for (unsigned thread_count : {0u, 1u, 5u, 1000u}) {
    GError *error = nullptr;
    annals_rpc_server *server = Bind("127.0.0.1:0", thread_count, &error);
    ASSERT_NE(server, nullptr);
    if (thread_count == 5) {
      annals_rpc_server_stop(server, LONG_MS);
      annals_rpc_server_stop(server, LONG_MS);
    }
    annals_rpc_server_free(server);
  }
  annals_rpc_server_free(nullptr);
}

// A client may have connected by then: the port is bound, and the kernel takes connections.
TEST(Start, IsUndoneByFreeingAServerThatNeverRanButHasAClient) {
  GError *error = nullptr;
  annals_rpc_server *server = Bind("127.0.0.1:0", 2, &error);
  ASSERT_NE(server, nullptr);
  RpcClient client(annals_rpc_server_port(server));
  auto call = client.Start(kPagePath, "");
  annals_rpc_server_free(server);
  EXPECT_EQ(call->Wait().code, GRPC_STATUS_UNAVAILABLE);
}

TEST_F(Stop, ReturnsAtOnceWhenNobodyIsThere) {
  service_.Restart();
  const Clock::time_point start = Clock::now();
  service_.Stop(LONG_MS);
  service_.Stop(LONG_MS);
  EXPECT_LT(Clock::now() - start, std::chrono::milliseconds(LONG_MS / 4));
}

TEST_F(Stop, FreesThePort) {
  const std::string address = "127.0.0.1:" + std::to_string(service_.port());
  service_.Stop(SHORT_MS);
  GError *error = nullptr;
  annals_rpc_server *server = Bind(address.c_str(), 1, &error);
  g_assert_no_error(error);
  annals_rpc_server_free(server);
}

TEST_F(Stop, LetsCallsUnderWayFinish) {
  StartPages(5);
  std::thread stop([this] { service_.Stop(LONG_MS); });
  WaitUntilDeaf();
  annals_faulty_store_set_held(service_.store(), false);
  for (auto &call : calls_) {
    EXPECT_EQ(Page(call->Wait()).events, PlainEvents(1, 3));
  }
  clients_.clear();
  RpcClient late(service_.port());
  EXPECT_EQ(late.Call(kPagePath, "").code, GRPC_STATUS_UNAVAILABLE);
  stop.join();
}

TEST_F(Stop, SendsNewCallsElsewhere) {
  StartPages(1);
  RpcClient client(service_.port());
  EXPECT_EQ(client.Call(kPagePath, "").error.reason, "INVALID_REQUEST");
  std::thread stop([this] { service_.Stop(LONG_MS); });
  WaitUntilDeaf();
  ExpectFailure(client.Call(kPagePath, ""), GRPC_STATUS_UNAVAILABLE, "DRAINING");
  annals_faulty_store_set_held(service_.store(), false);
  EXPECT_EQ(Page(calls_[0]->Wait()).events, PlainEvents(1, 3));
  stop.join();
}

TEST_F(Stop, CancelsWhatIsNotDoneInTime) {
  StartPages(5);
  std::atomic<bool> stopped{false};
  std::thread stop([&] {
    service_.Stop(SHORT_MS);
    stopped = true;
  });
  for (auto &call : calls_) {
    const Reply &reply = call->Wait();
    EXPECT_TRUE(reply.code == GRPC_STATUS_UNAVAILABLE || reply.code == GRPC_STATUS_CANCELLED)
        << reply.code << reply.message;
  }
  // The engine still works on their requests: they cannot be freed.
  EXPECT_FALSE(stopped);
  annals_faulty_store_set_held(service_.store(), false);
  stop.join();
}

TEST_F(Stop, IsNotDelayedByIdleConnectionsBeyondItsGrace) {
  for (int i = 0; i < 10; i++) {
    clients_.push_back(std::make_unique<RpcClient>(service_.port()));
    EXPECT_EQ(Page(clients_.back()->Call(kPagePath, WholeHistory().Bytes())).events.size(), 3u);
  }
  const Clock::time_point start = Clock::now();
  service_.Stop(SHORT_MS);
  EXPECT_LT(Clock::now() - start, std::chrono::milliseconds(LONG_MS / 4));
}

TEST_F(Stop, NeedsNoGrace) {
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(Page(service_.Get(WholeHistory())).events.size(), 3u);
    service_.Stop(0);
    service_.Restart();
  }
}

// Calls come, end and are cancelled while the server stops: each ends, one way or another.
TEST_F(Stop, BearsCallsAtAnyMoment) {
  annals_faulty_store_set_pending(service_.store(), true);
  for (int round = 0; round < 20; round++) {
    std::vector<std::thread> threads;
    std::atomic<bool> over{false};
    const int port = service_.port();
    for (int i = 0; i < 4; i++) {
      threads.emplace_back([&, i] {
        while (!over) {
          RpcClient client(port);
          std::vector<std::unique_ptr<PendingCall>> calls;
          for (int n = 0; n < 10; n++) {
            calls.push_back(client.Start(n % 3 == 0 ? "/x" : kPagePath, WholeHistory().Bytes()));
            if ((n + i) % 2 == 0) {
              calls.back()->Cancel();
            }
          }
        }
      });
    }
    EXPECT_EQ(Page(service_.Get(WholeHistory())).events.size(), 3u);
    service_.Stop(round % 2 == 0 ? 0 : SHORT_MS);
    over = true;
    for (std::thread &thread : threads) {
      thread.join();
    }
    service_.Restart();
  }
}

}  // namespace
}  // namespace annals_test
