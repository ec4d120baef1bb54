// grpc.health.v1, and with it what all streams have in common.

#include <atomic>
#include <thread>

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

const char kCheck[] = "/grpc.health.v1.Health/Check";
const char kList[] = "/grpc.health.v1.Health/List";
const char kWatch[] = "/grpc.health.v1.Health/Watch";
const char kHistoryService[] = "annals.v1.HistoryService";

enum { GRACE_MS = 60000 };

std::string Request(const std::string &service) {
  return service.empty() ? "" : BytesField(1, service);
}

std::string Status(int status) {
  return IntField(1, status);
}
const std::string kServing = Status(1);
const std::string kNotServing = Status(2);
const std::string kServiceUnknown = Status(3);

std::string Entry(const std::string &service, const std::string &status) {
  return BytesField(1, BytesField(1, service) + BytesField(2, status));
}

class Health : public ::testing::Test {
 protected:
  Reply Check(const std::string &service) {
    return service_.client().Call(kCheck, Request(service));
  }

  std::unique_ptr<StreamCall> Watch(const std::string &service = "", int64_t timeout_ms = 60000) {
    auto watch = service_.client().Open(kWatch, timeout_ms);
    (void)watch->Send(Request(service), true);  // or it is over already
    return watch;
  }

  Service service_{Threads(1)};
};

TEST_F(Health, TellsOfTheServerAndEachService) {
  for (const char *service :
       {"", kHistoryService, "annals.v1.AdminService", "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}) {
    EXPECT_EQ(Check(service).body, kServing) << service;
  }
  service_.SetHealth(ANNALS_HEALTH_STARTING);
  EXPECT_EQ(Check("").body, kNotServing);
  EXPECT_EQ(Check(kHistoryService).body, kNotServing);
}

TEST_F(Health, KnowsNoOtherService) {
  for (const std::string service : {"annals.v1", "annals.v1.HistoryService ", "x"}) {
    ExpectFailure(Check(service), GRPC_STATUS_NOT_FOUND, "UNKNOWN_SERVICE", {{"service", service}});
  }
}

TEST_F(Health, ListsAllServices) {
  EXPECT_EQ(service_.client().Call(kList, "").body,
            Entry("", kServing) + Entry(kHistoryService, kServing) +
                Entry("annals.v1.AdminService", kServing) +
                Entry("grpc.health.v1.Health", kServing) +
                Entry("grpc.reflection.v1.ServerReflection", kServing) +
                Entry("grpc.reflection.v1alpha.ServerReflection", kServing));
}

TEST_F(Health, RefusesWhatIsNoRequest) {
  for (const std::string &bytes : {std::string("\xff"), IntField(1, 1), BytesField(1, "\xff"),
                                   BytesField(1, std::string("\0", 1))}) {
    ExpectFailure(service_.client().Call(kCheck, bytes), GRPC_STATUS_INVALID_ARGUMENT,
                  "INVALID_REQUEST", {{"field", "request"}});
    auto watch = service_.client().Open(kWatch);
    EXPECT_TRUE(watch->Send(bytes, true));
    EXPECT_EQ(watch->Receive(), std::nullopt);
    ExpectFailure(watch->Finish(), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
                  {{"field", "request"}});
  }
  ExpectFailure(service_.client().Call(kCheck, Request(std::string(5000, 'x'))),
                GRPC_STATUS_INVALID_ARGUMENT, "LIMIT_EXCEEDED",
                {{"field", "request"}, {"limit", "4096"}});
}

TEST_F(Health, TellsWatchersOfEveryChange) {
  auto watch = Watch();
  auto other = Watch(kHistoryService);
  EXPECT_EQ(watch->Receive(), kServing);
  EXPECT_EQ(other->Receive(), kServing);
  service_.SetHealth(ANNALS_HEALTH_DRAINING);
  EXPECT_EQ(watch->Receive(), kNotServing);
  EXPECT_EQ(other->Receive(), kNotServing);
  service_.SetHealth(ANNALS_HEALTH_READY);
  EXPECT_EQ(watch->Receive(), kServing);
  watch->Cancel();
  EXPECT_EQ(watch->Finish().code, GRPC_STATUS_CANCELLED);
  EXPECT_EQ(other->Receive(), kServing);
}

TEST_F(Health, TellsWatchersOfAServiceThatIsNotThere) {
  auto watch = Watch("no.such.Service");
  EXPECT_EQ(watch->Receive(), kServiceUnknown);
  service_.SetHealth(ANNALS_HEALTH_DRAINING);
  service_.Stop(GRACE_MS);
  EXPECT_EQ(watch->Receive(), std::nullopt);
  ExpectFailure(watch->Finish(), GRPC_STATUS_UNAVAILABLE, "DRAINING");
}

TEST_F(Health, SaysThatItStopsBeforeItStops) {
  auto watch = Watch();
  EXPECT_EQ(watch->Receive(), kServing);
  std::thread stop([this] {
    service_.SetHealth(ANNALS_HEALTH_DRAINING);
    service_.Stop(GRACE_MS);
  });
  EXPECT_EQ(watch->Receive(), kNotServing);
  EXPECT_EQ(watch->Receive(), std::nullopt);
  ExpectFailure(watch->Finish(), GRPC_STATUS_UNAVAILABLE, "DRAINING");
  stop.join();
}

TEST_F(Health, EndsWatchesAtTheirDeadline) {
  auto watch = Watch("", 50);
  EXPECT_EQ(watch->Finish().code, GRPC_STATUS_DEADLINE_EXCEEDED);
}

TEST_F(Health, BearsWatchersThatComeAndGoAtAnyMoment) {
  std::atomic<bool> over{false};
  std::thread changes([&] {
    for (int i = 0; !over; i++) {
      service_.SetHealth(i % 2 == 0 ? ANNALS_HEALTH_DRAINING : ANNALS_HEALTH_READY);
    }
  });
  for (int i = 0; i < 300; i++) {
    auto watch = Watch(i % 3 == 0 ? "x" : "", i % 5 == 0 ? i % 7 : 60000);
    if (i % 2 == 0) {
      (void)watch->Receive();
    }
    watch->Cancel();
  }
  over = true;
  changes.join();
}

}  // namespace
}  // namespace annals_test
