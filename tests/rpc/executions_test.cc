// DescribeExecution and ListExecutions as a gRPC client sees them: exact bytes, and every error.

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

using Violations = std::vector<std::pair<std::string, std::string>>;

const char kDescribePath[] = "/annals.v1.HistoryService/DescribeExecution";
const char kListPath[] = "/annals.v1.HistoryService/ListExecutions";
const char kMachine[] = "arn:aws:states:us-east-1:123456789012:stateMachine:M";
const char kMapRun[] = "arn:aws:states:us-east-1:123456789012:mapRun:M/L:run";
const char kStatuses[] =
    "Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, "
    "RUNNING]";

// Numbers of the enums.
enum { RUNNING = 1, FAILED = 3, PENDING_REDRIVE = 6 };
enum { METADATA_ONLY = 2 };
enum { REDRIVEN = 1, NOT_REDRIVEN = 2 };
enum { NOT_REDRIVABLE = 2, REDRIVABLE_BY_MAP_RUN = 3 };

std::string TimeField(uint32_t number, int64_t seconds) {
  return BytesField(number, IntField(1, seconds));
}

class ExecutionsTest : public ::testing::Test {
 protected:
  // Runs, with an input.
  void Start(const std::string &name, int64_t seconds = kStartSeconds) {
    Appended(service_.Append(Arn(name), {Started(seconds)}));
  }

  // Has failed, been redriven and failed again, all that an append may tell being told.
  void Fail(const std::string &name) {
    AppendRequest request;
    request.arn = Arn(name);
    request.events = {Started(kStartSeconds), Failed(2), Redriven(3), Failed(4)};
    request.state_machine_arn = kMachine;
    request.map_run_arn = kMapRun;
    request.item_count = 3;
    request.trace_header = "Root=1";
    Appended(service_.Append(request));
  }

  static std::string Started(int64_t seconds) {
    Event event = PlainEvent(1);
    event.seconds = seconds;
    event.details =
        BytesField(EXECUTION_STARTED_DETAILS, BytesField(1, "{}") +
                                                  BytesField(4, std::string(kMachine) + ":PROD") +
                                                  BytesField(5, std::string(kMachine) + ":7"));
    return event.Bytes();
  }

  static std::string Failed(int64_t id) {
    Event event = PlainEvent(id);
    event.type = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_FAILED;
    event.details = BytesField(30, BytesField(1, "E" + std::to_string(id)) + BytesField(2, "why"));
    return event.Bytes();
  }

  static std::string Redriven(int64_t id) {
    Event event = PlainEvent(id);
    event.type = EXECUTION_REDRIVEN;
    event.details = "";
    return event.Bytes();
  }

  static std::string RunningItem(const std::string &name, int64_t seconds = kStartSeconds) {
    return BytesField(1, Arn(name)) + BytesField(2, kMachine) + BytesField(3, name) +
           IntField(4, RUNNING) + TimeField(5, seconds) +
           BytesField(9, std::string(kMachine) + ":7") +
           BytesField(10, std::string(kMachine) + ":PROD");
  }

  Reply Describe(const std::string &request) {
    return service_.client().Call(kDescribePath, request);
  }
  Reply List(const std::string &request) {
    return service_.client().Call(kListPath, request);
  }
  static std::string ListOf(const std::string &rest) {
    return BytesField(1, kMachine) + rest;
  }

  void ExpectInvalid(const Reply &reply, const Violations &violations) {
    ExpectFailure(reply, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
                  {{"field", violations[0].first}});
    EXPECT_EQ(reply.error.violations, violations);
  }

  Service service_;
};

TEST_F(ExecutionsTest, RunningOneIsDescribed) {
  Start("e");
  const std::string head = BytesField(1, Arn()) + BytesField(2, kMachine) + BytesField(3, "e") +
                           IntField(4, RUNNING) + TimeField(5, kStartSeconds);
  const std::string data = BytesField(7, "{}") + BytesField(8, IntField(1, 1));
  const std::string tail = BytesField(15, std::string(kMachine) + ":7") +
                           BytesField(16, std::string(kMachine) + ":PROD") +
                           IntField(19, NOT_REDRIVABLE) +
                           BytesField(20, "Execution is RUNNING and cannot be redriven");
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(service_.store(), pending);
    EXPECT_EQ(Describe(BytesField(1, Arn())).body, head + data + tail);
    EXPECT_EQ(Describe(BytesField(1, Arn()) + IntField(2, METADATA_ONLY)).body, head + tail);
  }
}

TEST_F(ExecutionsTest, FailedOneIsDescribed) {
  Fail("e");
  EXPECT_EQ(
      Describe(BytesField(1, Arn()) + IntField(2, 1)).body,
      BytesField(1, Arn()) + BytesField(2, kMachine) + BytesField(3, "e") + IntField(4, FAILED) +
          TimeField(5, kStartSeconds) + TimeField(6, kStartSeconds + 3) + BytesField(7, "{}") +
          BytesField(8, IntField(1, 1)) + BytesField(11, "Root=1") + BytesField(12, kMapRun) +
          BytesField(13, "E4") + BytesField(14, "why") +
          BytesField(15, std::string(kMachine) + ":7") +
          BytesField(16, std::string(kMachine) + ":PROD") + IntField(17, 1) +
          TimeField(18, kStartSeconds + 2) + IntField(19, REDRIVABLE_BY_MAP_RUN) + IntField(21, 3));
}

TEST_F(ExecutionsTest, AreListedNewestFirst) {
  Start("a");
  Start("b", kStartSeconds + 1);
  Fail("f");
  const std::string failed =
      BytesField(1, Arn("f")) + BytesField(2, kMachine) + BytesField(3, "f") + IntField(4, FAILED) +
      TimeField(5, kStartSeconds) + TimeField(6, kStartSeconds + 3) + BytesField(7, kMapRun) +
      IntField(8, 3) + BytesField(9, std::string(kMachine) + ":7") +
      BytesField(10, std::string(kMachine) + ":PROD") + IntField(11, 1) +
      TimeField(12, kStartSeconds + 2);
  const std::string all = FramesOf({RunningItem("b", kStartSeconds + 1), RunningItem("a"), failed});
  const std::string running = FramesOf({RunningItem("b", kStartSeconds + 1), RunningItem("a")});
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(service_.store(), pending);
    EXPECT_EQ(List(ListOf("")).body, all);
    EXPECT_EQ(List(BytesField(1, std::string(kMachine) + ":7")).body, all);
    EXPECT_EQ(List(BytesField(1, std::string(kMachine) + ":PROD")).body, all);
    EXPECT_EQ(List(ListOf(IntField(2, RUNNING))).body, running);
    EXPECT_EQ(List(ListOf(IntField(6, NOT_REDRIVEN))).body, running);
    EXPECT_EQ(List(ListOf(IntField(2, FAILED))).body, FramesOf({failed}));
    EXPECT_EQ(List(ListOf(IntField(6, REDRIVEN))).body, FramesOf({failed}));
    EXPECT_EQ(List(BytesField(5, kMapRun)).body, FramesOf({failed}));
    EXPECT_EQ(List(ListOf(IntField(2, PENDING_REDRIVE))).body, "");
    EXPECT_EQ(List(ListOf(IntField(2, RUNNING) + IntField(6, REDRIVEN))).body, "");
    EXPECT_EQ(List(BytesField(1, std::string(kMachine) + "2")).body, "");
  }
}

TEST_F(ExecutionsTest, AreListedPageByPage) {
  std::vector<std::string> items;
  for (int i = 9; i >= 0; i--) {
    const std::string name = "e" + std::to_string(i);
    Start(name, kStartSeconds + i);
    items.push_back(RunningItem(name, kStartSeconds + i));
  }
  for (size_t size : {1, 3, 10, 1000}) {
    std::vector<std::string> seen;
    std::string token;
    do {
      const Reply reply =
          List(ListOf(IntField(3, static_cast<int64_t>(size)) + BytesField(4, token)));
      const PageResult page = Page(reply);
      EXPECT_LE(page.events.size(), size);
      EXPECT_EQ(reply.body, FramesOf(page.events) +
                                (page.next_token.empty() ? "" : BytesField(2, page.next_token)));
      EXPECT_LE(page.next_token.size(), 3096u);
      seen.insert(seen.end(), page.events.begin(), page.events.end());
      token = page.next_token;
    } while (!token.empty());
    EXPECT_EQ(seen, items);
  }
}

TEST_F(ExecutionsTest, TokensAreForTheListingTheyBelongTo) {
  Start("a");
  Start("b");
  Appended(service_.Append(Arn("a"), PlainEvents(2, 3)));
  const std::string token = Page(List(ListOf(IntField(3, 1)))).next_token;
  ASSERT_NE(token, "");
  PageRequest history;
  history.arn = Arn("a");
  history.max_results = 1;
  const std::string events = Page(service_.Get(history)).next_token;
  std::string forged = token;
  forged[10] ^= 1;
  const std::string wrong[] = {
      BytesField(1, std::string(kMachine) + "2") + BytesField(4, token),
      BytesField(5, kMapRun) + BytesField(4, token),
      ListOf(IntField(2, RUNNING) + BytesField(4, token)),
      ListOf(IntField(6, NOT_REDRIVEN) + BytesField(4, token)),
      ListOf(BytesField(4, events)),
      ListOf(BytesField(4, forged)),
  };
  for (const std::string &request : wrong) {
    ExpectFailure(List(request), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_TOKEN");
  }
  history.next_token = token;
  ExpectFailure(service_.Get(history), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_TOKEN");
  EXPECT_EQ(Page(List(ListOf(IntField(3, 7) + BytesField(4, token)))).events,
            (std::vector<std::string>{RunningItem("b")}));
}

// --- errors ---

TEST_F(ExecutionsTest, DescribeRefuses) {
  const std::string values = "Member must satisfy enum value set: [ALL_DATA, METADATA_ONLY]";
  ExpectFailure(Describe(BytesField(1, Arn())), GRPC_STATUS_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST",
                {{"execution_arn", Arn()}});
  ExpectFailure(Describe(BytesField(1, kMachine)), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN");
  ExpectInvalid(Describe(""),
                {{"execution_arn", "Member must have length greater than or equal to 1"}});
  ExpectInvalid(Describe(BytesField(1, std::string(257, 'a')) + IntField(2, 3)),
                {{"execution_arn", "Member must have length less than or equal to 256"},
                 {"included_data", values}});
  ExpectInvalid(Describe(BytesField(1, Arn()) + IntField(2, -1)), {{"included_data", values}});
}

TEST_F(ExecutionsTest, ListRefuses) {
  const std::string filters = "Member must satisfy enum value set: [REDRIVEN, NOT_REDRIVEN]";
  ExpectFailure(List(BytesField(1, Arn())), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN");
  ExpectFailure(List(BytesField(5, kMachine)), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN");
  ExpectInvalid(List(ListOf(IntField(2, 7))), {{"status_filter", kStatuses}});
  ExpectInvalid(List(ListOf(IntField(3, -1))),
                {{"max_results", "Member must have value greater than or equal to 0"}});
  ExpectInvalid(List(ListOf(IntField(6, 3))), {{"redrive_filter", filters}});
  ExpectInvalid(List(BytesField(1, std::string(257, 'a')) + IntField(2, 9) + IntField(3, 1001) +
                     BytesField(4, std::string(3097, 'a')) + BytesField(5, std::string(2001, 'a')) +
                     IntField(6, -1)),
                {{"state_machine_arn", "Member must have length less than or equal to 256"},
                 {"status_filter", kStatuses},
                 {"max_results", "Member must have value less than or equal to 1000"},
                 {"next_token", "Member must have length less than or equal to 3096"},
                 {"map_run_arn", "Member must have length less than or equal to 2000"},
                 {"redrive_filter", filters}});
}

TEST_F(ExecutionsTest, ListNeedsExactlyOneArn) {
  const Reply none = List(IntField(3, 1));
  ExpectFailure(none, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
                {{"field", "state_machine_arn"}});
  EXPECT_EQ(none.message, "Must provide a StateMachine ARN or MapRun ARN");
  const Reply both = List(ListOf(BytesField(5, kMapRun)));
  ExpectFailure(both, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST", {{"field", "map_run_arn"}});
  EXPECT_EQ(both.message, "Must provide a StateMachine ARN or MapRun ARN, not both");
}

TEST_F(ExecutionsTest, AnswersTellWhatTheStoreSays) {
  Start("e");
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(service_.store(), pending);
    for (unsigned operation : {ANNALS_FAULTY_READ, ANNALS_FAULTY_GET}) {
      service_.Fail(operation, ANNALS_STORE_CORRUPT);
      ExpectFailure(Describe(BytesField(1, Arn())), GRPC_STATUS_DATA_LOSS, "DATA_CORRUPTED",
                    {{"execution_arn", Arn()}});
    }
    service_.Fail(ANNALS_FAULTY_LIST, ANNALS_STORE_CORRUPT);
    ExpectFailure(List(ListOf("")), GRPC_STATUS_DATA_LOSS, "DATA_CORRUPTED");
  }
}

}  // namespace
}  // namespace annals_test
