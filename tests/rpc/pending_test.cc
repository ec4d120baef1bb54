// Calls whose store answers later, never, or too soon.

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

class Pending : public ::testing::Test {
 protected:
  // One queue: what one connection sends is taken in the order it was sent in.
  Pending() : service_(Threads(1)) {
    EXPECT_EQ(Appended(service_.Append(Arn(), PlainEvents(1, 3))).appended, 3);
    annals_faulty_store_set_pending(service_.store(), true);
  }

  std::unique_ptr<PendingCall> StartAppend(int64_t first_id, int64_t last_id,
                                           const CallOptions &options = {}) {
    AppendRequest request;
    request.arn = Arn();
    request.events = PlainEvents(first_id, last_id);
    return service_.client().Start(kAppendPath, request.Bytes(), options);
  }

  std::unique_ptr<PendingCall> StartPage(const CallOptions &options = {}) {
    PageRequest request;
    request.arn = Arn();
    return service_.client().Start(kPagePath, request.Bytes(), options);
  }

  void Hold() {
    annals_faulty_store_set_held(service_.store(), true);
  }
  void LetGo() {
    annals_faulty_store_set_held(service_.store(), false);
  }

  // Returns when the server has taken all that the connection had sent before.
  void Flush() {
    EXPECT_EQ(service_.client().Call("/x", "").code, GRPC_STATUS_UNIMPLEMENTED);
  }

  Service service_;
};

TEST_F(Pending, AnswersWhenTheStoreIsDone) {
  EXPECT_EQ(Page(StartPage()->Wait()).events, PlainEvents(1, 3));
  EXPECT_EQ(Appended(StartAppend(2, 5)->Wait()).appended, 2);
  EXPECT_EQ(Page(StartPage()->Wait()).events, PlainEvents(1, 5));
}

TEST_F(Pending, CarriesFailuresToo) {
  service_.Fail(ANNALS_FAULTY_READ, ANNALS_STORE_CORRUPT);
  ExpectFailure(StartPage()->Wait(), GRPC_STATUS_DATA_LOSS, "DATA_CORRUPTED",
                {{"execution_arn", Arn()}});
  service_.Fail(ANNALS_FAULTY_APPEND, ANNALS_STORE_NO_SPACE);
  ExpectFailure(StartAppend(4, 4)->Wait(), GRPC_STATUS_UNAVAILABLE, "NO_SPACE");
}

TEST_F(Pending, DoesNotBlockTheQueue) {
  Hold();
  std::vector<std::unique_ptr<PendingCall>> calls;
  for (int i = 0; i < 50; i++) {
    calls.push_back(StartPage());
  }
  service_.watched().WaitForCalls(50);
  ExpectFailure(service_.Append("no arn", {}), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN");
  LetGo();
  for (auto &call : calls) {
    EXPECT_EQ(Page(call->Wait()).events, PlainEvents(1, 3));
  }
}

// The engine's thread wakes the call before its handler has returned.
TEST_F(Pending, BearsAnEngineThatIsFasterThanTheHandler) {
  service_.watched().ReturnAfterCompletions(1);
  EXPECT_EQ(Page(StartPage()->Wait()).events, PlainEvents(1, 3));
  service_.watched().ReturnAfterCompletions(2);  // the tail, and the append itself
  EXPECT_EQ(Appended(StartAppend(4, 4)->Wait()).last_event_id, 4);
  service_.Fail(ANNALS_FAULTY_TAIL, ANNALS_STORE_UNAVAILABLE);
  service_.watched().ReturnAfterCompletions(1);
  ExpectFailure(StartAppend(5, 5)->Wait(), GRPC_STATUS_INTERNAL, "INTERNAL");
}

TEST_F(Pending, BearsClientsThatCancel) {
  Hold();
  auto page = StartPage();
  auto append = StartAppend(4, 4);
  service_.watched().WaitForCalls(4);  // two of them for the first events
  page->Cancel();
  append->Cancel();
  EXPECT_EQ(page->Wait().code, GRPC_STATUS_CANCELLED);
  EXPECT_EQ(append->Wait().code, GRPC_STATUS_CANCELLED);
  Flush();
  LetGo();
  // The append had not been handed to the store.
  EXPECT_EQ(Appended(StartAppend(4, 4)->Wait()).already_stored, 0);
}

// What waits for room until its deadline, or until it is cancelled, is not begun.
TEST(PendingAdmission, DoesNotBeginWhatIsTooLate) {
  ServiceOptions options = Threads(1);
  options.rpc.admitted_bytes_max = 4 << 20;
  Service service(options);
  AppendRequest request;
  request.arn = Arn();
  request.events = PlainEvents(1, 3);
  CallOptions stalled;
  stalled.stalled = true;
  EXPECT_EQ(service.client().Call("/x", "").code, GRPC_STATUS_UNIMPLEMENTED);  // connects
  auto first = service.client().Start(kAppendPath, "", stalled);
  CallOptions soon;
  soon.timeout_ms = 100;
  auto late = service.client().Start(kAppendPath, request.Bytes(), soon);
  auto cancelled = service.client().Start(kAppendPath, request.Bytes());
  EXPECT_EQ(late->Wait().code, GRPC_STATUS_DEADLINE_EXCEEDED);
  cancelled->Cancel();
  EXPECT_EQ(cancelled->Wait().code, GRPC_STATUS_CANCELLED);
  EXPECT_EQ(service.client().Call("/x", "").code, GRPC_STATUS_UNIMPLEMENTED);
  first->Cancel();
  EXPECT_EQ(Appended(service.client().Call(kAppendPath, request.Bytes())).appended, 3);
  EXPECT_EQ(annals_faulty_store_calls(service.store(), ANNALS_FAULTY_TAIL), 1);
}

TEST_F(Pending, BearsClientsThatGoAway) {
  Hold();
  auto client = std::make_unique<RpcClient>(service_.port());
  PageRequest request;
  request.arn = Arn();
  auto call = client->Start(kPagePath, request.Bytes());
  service_.watched().WaitForCalls(3);
  call->Cancel();
  call.reset();
  client.reset();
  LetGo();
  EXPECT_EQ(Page(StartPage()->Wait()).events, PlainEvents(1, 3));
}

TEST_F(Pending, BearsDeadlinesThatPass) {
  Hold();
  CallOptions options;
  options.timeout_ms = 50;
  EXPECT_EQ(StartPage(options)->Wait().code, GRPC_STATUS_DEADLINE_EXCEEDED);
  EXPECT_EQ(StartAppend(4, 4, options)->Wait().code, GRPC_STATUS_DEADLINE_EXCEEDED);
  Flush();
  LetGo();
  EXPECT_GE(Page(StartPage()->Wait()).events.size(), 3u);
}

TEST_F(Pending, BearsDeadlinesAtAnyMoment) {
  CallOptions options;
  for (int i = 0; i < 100; i++) {
    options.timeout_ms = i % 4;
    int code = StartPage(options)->Wait().code;
    EXPECT_TRUE(code == GRPC_STATUS_DEADLINE_EXCEEDED || code == GRPC_STATUS_OK) << code;
  }
  Flush();
}

TEST_F(Pending, BearsCancelsAtAnyMoment) {
  for (int i = 0; i < 100; i++) {
    auto page = StartPage();
    auto append = StartAppend(1, 3);
    page->Cancel();
    if (i % 2 == 0) {
      append->Cancel();
    }
    int code = page->Wait().code;
    EXPECT_TRUE(code == GRPC_STATUS_CANCELLED || code == GRPC_STATUS_OK) << code;
  }
  Flush();
}

}  // namespace
}  // namespace annals_test
