#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;
using Arns = std::vector<std::string>;

/* Over the engine as it is, and with every step pending. */
class DeleteTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  DeleteTest() {
    annals_faulty_store_set_pending(store_, GetParam());
  }

  void Fault(unsigned operations, annals_store_outcome outcome, int times = 1, bool done = false) {
    annals_fault fault = {};
    fault.operations = operations;
    fault.times = times;
    fault.outcome = outcome;
    fault.done = done;
    annals_faulty_store_inject(store_, &fault);
  }

  void ExpectGone() {
    EXPECT_EQ(Page().reason, "EXECUTION_DOES_NOT_EXIST");
    EXPECT_EQ(Describe().reason, "EXECUTION_DOES_NOT_EXIST");
    EXPECT_EQ(List().arns, Arns());
    Outcome again = Delete();
    EXPECT_EQ(again.reason, "EXECUTION_DOES_NOT_EXIST");
    EXPECT_EQ(again.message, std::string("no execution has the ARN ") + kArn);
    EXPECT_EQ(again.metadata, (Members{{"execution_arn", kArn}}));
  }
};

INSTANTIATE_TEST_SUITE_P(Store, DeleteTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

TEST_P(DeleteTest, LeavesNothing) {
  const std::string other = std::string(kArn) + "2";
  ASSERT_TRUE(Append(Chain(230)).ok);
  ASSERT_TRUE(Append({Entered(231, 1000)}).ok);
  ASSERT_TRUE(Append({Started()}, other).ok);
  EXPECT_EQ(List().arns, (Arns{kArn, other}));
  EXPECT_TRUE(Delete().ok);
  EXPECT_EQ(List().arns, Arns{other});
  EXPECT_TRUE(Delete(other).ok);
  ExpectGone();
  Reopen();
  ExpectGone();
}

TEST_P(DeleteTest, LeavesAllLists) {
  const std::string machine = kStateMachine;
  const std::string map_run = "arn:aws:states:us-east-1:123456789012:mapRun:machine/label:run";
  std::string details = Bytes(31, Bytes(4, machine + ":alias") + Bytes(5, machine + ":7"));
  ASSERT_TRUE(Append({Typed(11, 1, details), Typed(10, 2), Typed(60, 3), Typed(9, 4)}, kArn,
                     {"", map_run, 0, ""})
                  .ok);
  EXPECT_TRUE(Delete().ok);
  for (const std::string &parent : {machine, machine + ":7", machine + ":alias"}) {
    ListQuery query;
    query.state_machine = parent;
    EXPECT_EQ(List(query).arns, Arns()) << parent;
  }
  ListQuery query;
  query.state_machine = std::nullopt;
  query.map_run = map_run;
  EXPECT_EQ(List(query).arns, Arns());
}

TEST_P(DeleteTest, NameIsFreeAgain) {
  ASSERT_TRUE(Append(Chain(5)).ok);
  EXPECT_TRUE(Delete().ok);
  EXPECT_EQ(Append({Entered(6)}).reason, "EVENT_GAP");
  ASSERT_TRUE(Append({Started(200), Succeeded(2, 201)}).ok);
  EXPECT_EQ(All(), (std::vector<std::string>{Started(200), Succeeded(2, 201)}));
  EXPECT_EQ(List().members[0]["start"], "200.0");
}

TEST_P(DeleteTest, TokensOfTheHistoryAreGoodNoLonger) {
  ASSERT_TRUE(Append(Chain(5)).ok);
  PageQuery query;
  query.max_results = 2;
  query.token = Page(query).token;
  EXPECT_TRUE(Delete().ok);
  EXPECT_EQ(Page(query).reason, "EXECUTION_DOES_NOT_EXIST");
  ASSERT_TRUE(Append({Started(200), Entered(2), Entered(3)}).ok);
  EXPECT_EQ(Page(query).reason, "INVALID_TOKEN");
}

TEST_P(DeleteTest, StartsOverWhenAWriterWasFaster) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  Fault(ANNALS_FAULTY_DELETE, ANNALS_STORE_CONFLICT, 2);
  EXPECT_TRUE(Delete().ok);
  EXPECT_EQ(annals_faulty_store_hits(store_), 2);
  ExpectGone();
}

TEST_P(DeleteTest, GivesUpWhenItAlwaysLoses) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  Fault(ANNALS_FAULTY_DELETE, ANNALS_STORE_CONFLICT, -1);
  EXPECT_EQ(Delete().reason, "OVERLOADED");
  EXPECT_EQ(Page().events.size(), 3U);
}

TEST_P(DeleteTest, StoreFailuresHaveTheirReasons) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  struct Case {
    unsigned operation;
    annals_store_outcome outcome;
    const char *reason;
  };
  for (const Case &it :
       {Case{ANNALS_FAULTY_DELETE, ANNALS_STORE_UNAVAILABLE, "WRITES_STOPPED"},
        Case{ANNALS_FAULTY_DELETE, ANNALS_STORE_UNKNOWN, "OUTCOME_UNKNOWN"},
        Case{ANNALS_FAULTY_DELETE, ANNALS_STORE_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST"},
        Case{ANNALS_FAULTY_GET, ANNALS_STORE_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST"},
        Case{ANNALS_FAULTY_GET, ANNALS_STORE_CORRUPT, "DATA_CORRUPTED"},
        Case{ANNALS_FAULTY_TAIL, ANNALS_STORE_CORRUPT, "DATA_CORRUPTED"}}) {
    Fault(it.operation, it.outcome);
    EXPECT_EQ(Delete().reason, it.reason);
    EXPECT_EQ(Page().events.size(), 3U);
  }
  Fault(ANNALS_FAULTY_DELETE, ANNALS_STORE_UNKNOWN, 1, true);
  Outcome unknown = Delete();
  EXPECT_EQ(unknown.reason, "OUTCOME_UNKNOWN");
  EXPECT_EQ(unknown.message, "the execution may or may not be deleted; repeat the deletion");
  ExpectGone();
}

TEST_P(DeleteTest, RequestIsChecked) {
  EXPECT_EQ(Delete(std::nullopt).violations[0], "execution_arn=null: Member must not be null");
  EXPECT_EQ(Delete("").violations[0],
            "execution_arn=: Member must have length greater than or equal to 1");
  EXPECT_EQ(Delete(kStateMachine).reason, "INVALID_ARN");
}

TEST_P(DeleteTest, EndsWhenNobodyWaits) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  annals_cancel cancel = {};
  annals_cancel_now(&cancel);
  cancel_ = &cancel;
  EXPECT_EQ(Delete().reason, "CANCELLED");
  cancel_ = nullptr;
  EXPECT_EQ(Page().events.size(), 3U);
}

/* --- what appends make of it --- */

/* Deleted between the steps of an append, which then finds nothing to go on from. */
TEST_P(DeleteTest, AppendUnderWayStartsOver) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  Fault(ANNALS_FAULTY_READ, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Append({Entered(3, 103)}).already_stored, 1); /* it was there after all */
  Fault(ANNALS_FAULTY_GET, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Append({Succeeded(4, 104)}).appended, 1);
  Fault(ANNALS_FAULTY_READ, ANNALS_STORE_NOT_FOUND, -1);
  EXPECT_EQ(Append({Entered(3, 103)}).reason, "OVERLOADED");
}

}  // namespace
