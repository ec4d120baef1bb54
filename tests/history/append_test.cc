#include "tests/history/history_test_support.h"

extern "C" {
#include "server/history/execution_record.h"
}

namespace {

using namespace annals_test;
using Metadata = std::map<std::string, std::string>;

/* Over the engine as it is, and with every step pending: the contract is the same. */
class AppendTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  AppendTest() {
    annals_faulty_store_set_pending(store_, GetParam());
  }

  void ExpectAppended(const Appended &result, int64_t last_id, int appended, int stored,
                      int adjusted = 0) {
    EXPECT_TRUE(result.ok) << result.reason << ": " << result.message;
    EXPECT_EQ(result.last_event_id, last_id);
    EXPECT_EQ(result.appended, appended);
    EXPECT_EQ(result.already_stored, stored);
    EXPECT_EQ(result.adjusted, adjusted);
  }

  void ExpectRefused(const Appended &result, const std::string &reason, const std::string &message,
                     const Metadata &metadata) {
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.reason, reason);
    EXPECT_EQ(result.message, message);
    EXPECT_EQ(result.metadata, metadata);
    EXPECT_EQ(result.appended, 0);
  }

  annals_execution Record() {
    annals_faulty_store_set_pending(store_, false);
    annals_store_get get = {};
    get.arn = kArn;
    EXPECT_EQ(store_->ops->get(store_, &get), ANNALS_STORE_DONE);
    EXPECT_EQ(get.op.outcome, ANNALS_STORE_OK);
    annals_execution execution = {};
    EXPECT_TRUE(annals_execution_read(get.record, &execution));
    g_bytes_unref(get.record);
    annals_faulty_store_set_pending(store_, GetParam());
    return execution;
  }
};

INSTANTIATE_TEST_SUITE_P(Store, AppendTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

/* --- ids --- */

TEST_P(AppendTest, StoresABatchAndGivesItBack) {
  std::vector<std::string> events = Chain(3);
  ExpectAppended(Append(events), 3, 3, 0);
  EXPECT_EQ(All(), events);
}

TEST_P(AppendTest, GoesOnWhereTheHistoryEnds) {
  std::vector<std::string> events = Chain(250);
  for (size_t i = 0; i < events.size(); i++) {
    ExpectAppended(Append({events[i]}), static_cast<int64_t>(i) + 1, 1, 0);
  }
  EXPECT_EQ(All(), events);
  Reopen();
  EXPECT_EQ(All(), events);
}

TEST_P(AppendTest, FirstEventIsExecutionStartedWithId1) {
  ExpectRefused(Append({Typed(kPassStateEntered, 1)}), "INVALID_EVENT",
                "events[0].type must be ExecutionStarted: the first event of a history creates the "
                "execution",
                {{"event_index", "0"}, {"field", "type"}});
  ExpectRefused(Append({Entered(2, 5)}), "EVENT_GAP",
                "the first event has id 2, but the history goes on at id 1",
                {{"expected_event_id", "1"}});
  EXPECT_EQ(Page().reason, "EXECUTION_DOES_NOT_EXIST");
}

TEST_P(AppendTest, IdsAreContiguousWithinABatch) {
  ExpectRefused(Append({Started(), Entered(3)}), "INVALID_EVENT",
                "events[1].id does not follow the id of the event before it",
                {{"event_index", "1"}, {"field", "id"}});
  ExpectRefused(Append({Started(), Started()}), "INVALID_EVENT",
                "events[1].id does not follow the id of the event before it",
                {{"event_index", "1"}, {"field", "id"}});
  ExpectRefused(Append({Typed(kPassStateEntered, 0)}), "INVALID_EVENT",
                "events[0].id must be at least 1", {{"event_index", "0"}, {"field", "id"}});
}

TEST_P(AppendTest, NoIdFollowsTheGreatest) {
  ExpectRefused(Append({Entered(INT64_MAX), Entered(1)}), "INVALID_EVENT",
                "events[1].id does not follow the id of the event before it",
                {{"event_index", "1"}, {"field", "id"}});
  ExpectRefused(Append({Entered(INT64_MAX - 1), Entered(INT64_MAX)}), "EVENT_GAP",
                "the first event has id 9223372036854775806, but the history goes on at id 1",
                {{"expected_event_id", "1"}});
  ExpectAppended(Append({Started()}), 1, 1, 0);
  ExpectRefused(Append({Entered(INT64_MAX)}), "EVENT_GAP",
                "the first event has id 9223372036854775807, but the history goes on at id 2",
                {{"expected_event_id", "2"}});
}

TEST_P(AppendTest, PreviousIdIsBelowTheId) {
  const char message[] = "events[1].previous_event_id must be at least 0 and less than id";
  Metadata metadata = {{"event_index", "1"}, {"field", "previous_event_id"}};
  std::string head = Timestamp(100, 0) + Int(kEventType, kPassStateEntered) + Int(kEventId, 2);
  ExpectRefused(Append({Started(), head + Int(kEventPreviousId, 2)}), "INVALID_EVENT", message,
                metadata);
  ExpectRefused(Append({Started(), head + Int(kEventPreviousId, -1)}), "INVALID_EVENT", message,
                metadata);
  ExpectAppended(Append({Started(), head}), 2, 2, 0);
}

TEST_P(AppendTest, GapNamesTheExpectedId) {
  ExpectAppended(Append(Chain(3)), 3, 3, 0);
  ExpectRefused(Append({Entered(5)}), "EVENT_GAP",
                "the first event has id 5, but the history goes on at id 4",
                {{"expected_event_id", "4"}});
}

/* --- retries --- */

TEST_P(AppendTest, RetryOfTheSameEventsSucceeds) {
  std::vector<std::string> events = Chain(5);
  ExpectAppended(Append(events), 5, 5, 0);
  ExpectAppended(Append(events), 5, 0, 5);
  ExpectAppended(Append({events[2], events[3]}), 5, 0, 2);
  EXPECT_EQ(All(), events);
}

TEST_P(AppendTest, OverlapStoresTheNewTail) {
  std::vector<std::string> events = Chain(6);
  ExpectAppended(Append({events.begin(), events.begin() + 4}), 4, 4, 0);
  ExpectAppended(Append({events.begin() + 2, events.end()}), 6, 2, 2);
  EXPECT_EQ(All(), events);
}

TEST_P(AppendTest, DifferentEventIsAConflictAndStoresNothing) {
  std::vector<std::string> events = Chain(6);
  ExpectAppended(Append({events.begin(), events.begin() + 4}), 4, 4, 0);
  std::vector<std::string> other = {events[2], Entered(4, 104, "other"), events[4]};
  ExpectRefused(Append(other), "EVENT_CONFLICT",
                "a different event is stored under id 4; the history goes on at id 5",
                {{"event_id", "4"}, {"expected_event_id", "5"}});
  EXPECT_EQ(All(), std::vector<std::string>(events.begin(), events.begin() + 4));
}

TEST_P(AppendTest, SameEventInOtherBytesIsTheSameEvent) {
  std::string details = Bytes(1, "S") + Bytes(2, "{}") + Bytes(4, Bytes(1, "a") + Bytes(2, "1")) +
                        Bytes(4, Bytes(1, "b") + Bytes(2, "2"));
  std::string canonical = Typed(kPassStateExited, 2, Bytes(kStateExitedDetails, details));
  std::string shuffled =
      Bytes(kStateExitedDetails, Bytes(4, Bytes(2, "2") + Bytes(1, "b")) + Bytes(2, "{}")) +
      Int(kEventPreviousId, 1) + Int(kEventId, 7) + Int(kEventId, 2) +
      Int(kEventType, kPassStateExited) +
      Bytes(kStateExitedDetails, Bytes(4, Bytes(1, "a") + Bytes(2, "1")) + Bytes(1, "S")) +
      Timestamp(102, 0);
  ExpectAppended(Append({Started(), canonical}), 2, 2, 0);
  ExpectAppended(Append({Started(), shuffled}), 2, 0, 2);
  EXPECT_EQ(All()[1], canonical);
}

TEST_P(AppendTest, AnythingMayFollowATerminalEvent) {
  std::string redriven = Typed(60, 3, Bytes(35, Int(1, 1)));
  ExpectAppended(Append({Started(), Succeeded(2, 102)}), 2, 2, 0);
  ExpectAppended(Append({redriven, Entered(4, 104)}), 4, 2, 0);
  EXPECT_EQ(All().size(), 4U);
}

/* --- timestamps --- */

TEST_P(AppendTest, TimestampLeftOutIsNow) {
  now_us_ = 200 * int64_t{1000000} + 123456;
  ExpectAppended(Append({Started(0), Entered(2)}), 2, 2, 0);
  std::vector<std::string> events = All();
  EXPECT_EQ(events[0].substr(0, Timestamp(200, 123000000).size()), Timestamp(200, 123000000));
  EXPECT_EQ(events[1], Timestamp(200, 123000000) + Entered(2));
}

TEST_P(AppendTest, TimestampLeftOutIsNeverBeforeThePreviousEvents) {
  now_us_ = 50 * int64_t{1000000};
  ExpectAppended(Append({Started(100), Entered(2)}), 2, 2, 0);
  EXPECT_EQ(All()[1], Timestamp(100, 0) + Entered(2));
  ExpectAppended(Append({Entered(3)}), 3, 1, 0);
  EXPECT_EQ(All()[2], Timestamp(100, 0) + Entered(3));
}

TEST_P(AppendTest, TimestampBeforeThePreviousEventsIsRaisedAndCounted) {
  std::vector<std::string> events = {Started(100), Entered(2, 90), Entered(3, 110), Entered(4, 109),
                                     Entered(5, 110)};
  ExpectAppended(Append(events), 5, 5, 0, 2);
  std::vector<std::string> stored = All();
  EXPECT_EQ(stored[1], Timestamp(100, 0) + Entered(2));
  EXPECT_EQ(stored[3], Timestamp(110, 0) + Entered(4));
  EXPECT_EQ(stored[4], events[4]);
  /* The rule is a function of the stored history: a retry comes out the same. */
  ExpectAppended(Append(events), 5, 0, 5, 2);
  ExpectAppended(Append({events[3], events[4], Entered(6, 1)}), 6, 1, 2, 2);
  ExpectAppended(Append({Entered(7, 2)}), 7, 1, 0, 1);
  ExpectAppended(Append({Entered(7, 2)}), 7, 0, 1, 1);
}

TEST_P(AppendTest, RetryWithoutTimestampMatchesWhateverWasSet) {
  ExpectAppended(Append({Started(0), Entered(2)}), 2, 2, 0);
  now_us_ += 5000000;
  ExpectAppended(Append({Started(0), Entered(2)}), 2, 0, 2);
}

TEST_P(AppendTest, RetryWithAnotherTimestampIsAConflict) {
  ExpectAppended(Append({Started(100), Entered(2, 120), Entered(3, 125)}), 3, 3, 0);
  EXPECT_EQ(Append({Entered(2, 121)}).reason, "EVENT_CONFLICT");
  EXPECT_EQ(Append({Entered(2, 119)}).reason, "EVENT_CONFLICT");
  EXPECT_EQ(Append({Entered(2, 90)}).reason, "EVENT_CONFLICT");
  EXPECT_EQ(Append({Started(99)}).reason, "EVENT_CONFLICT");
}

TEST_P(AppendTest, TimestampsLieInTheYears1970To9999) {
  const char message[] =
      "events[0].timestamp must be within the years 1970 to 9999, with nanos from 0 to 999,999,999";
  Metadata metadata = {{"event_index", "0"}, {"field", "timestamp"}};
  std::string rest = Int(kEventType, kExecutionStarted) + Int(kEventId, 1);
  for (const std::string &timestamp :
       {Timestamp(-1, 0), Timestamp(253402300800, 0), Timestamp(1, -1), Timestamp(1, 1000000000)}) {
    ExpectRefused(Append({timestamp + rest}), "INVALID_EVENT", message, metadata);
  }
  ExpectAppended(Append({Bytes(kEventTimestamp, "") + rest}), 1, 1, 0);
  ExpectAppended(Append({Timestamp(253402300799, 999999999) + Entered(2)}), 2, 1, 0);
  /* Finer than a millisecond is stored as given. */
  EXPECT_EQ(All()[1], Timestamp(253402300799, 999999999) + Entered(2));
}

/* --- what an event may hold --- */

TEST_P(AppendTest, TypeAndDetailsAgree) {
  ExpectRefused(Append({Started(), Typed(kPassStateEntered, 2, Bytes(kStateExitedDetails, ""))}),
                "INVALID_EVENT",
                "events[1].state_exited_event_details does not belong to an event of type "
                "PassStateEntered",
                {{"event_index", "1"}, {"field", "state_exited_event_details"}});
  ExpectRefused(Append({Started(), Typed(56, 2, Bytes(61, ""))}), "INVALID_EVENT",
                "events[1].map_run_failed_event_details does not belong to an event of type "
                "MapRunAborted",
                {{"event_index", "1"}, {"field", "map_run_failed_event_details"}});
  /* Details may be absent where the type has them, and stay absent. */
  ExpectAppended(Append({Started(), Typed(kPassStateEntered, 2)}), 2, 2, 0);
  EXPECT_EQ(All()[1], Typed(kPassStateEntered, 2));
}

TEST_P(AppendTest, TypeIsKnown) {
  ExpectRefused(Append({Timestamp(1, 0) + Int(kEventId, 1)}), "INVALID_EVENT",
                "events[0].type must be ExecutionStarted: the first event of a history creates the "
                "execution",
                {{"event_index", "0"}, {"field", "type"}});
  ExpectRefused(Append({Started(), Timestamp(1, 0) + Int(kEventId, 2)}), "INVALID_EVENT",
                "events[1].type is required", {{"event_index", "1"}, {"field", "type"}});
  ExpectRefused(Append({Started(), Typed(63, 2)}), "INVALID_EVENT",
                "events[1].type is not a known event type",
                {{"event_index", "1"}, {"field", "type"}});
}

TEST_P(AppendTest, BytesThatNoEventHasAreRefusedNamingIndexAndField) {
  ExpectRefused(Append({Started(), Entered(2) + Int(77, 1)}), "INVALID_EVENT",
                "events[1] has an unknown field 77", {{"event_index", "1"}, {"field", ""}});
  ExpectRefused(Append({Started(), Typed(kPassStateEntered, 2,
                                         Bytes(kStateEnteredDetails, Bytes(1, "\xff")))}),
                "INVALID_EVENT", "events[1].state_entered_event_details.name is not valid UTF-8",
                {{"event_index", "1"}, {"field", "state_entered_event_details.name"}});
}

TEST_P(AppendTest, NumbersAreNotNegative) {
  ExpectRefused(Append({Started(), Typed(30, 2, Bytes(40, Int(1, -1)))}), "INVALID_EVENT",
                "events[1].map_state_started_event_details.length is negative",
                {{"event_index", "1"}, {"field", "map_state_started_event_details.length"}});
}

/* --- limits --- */

TEST_P(AppendTest, LengthsOverTheModelsAreRefusedWithTheLimit) {
  ExpectRefused(
      Append({Started(), Entered(2, 0, std::string(262145, 'x'))}), "LIMIT_EXCEEDED",
      "events[1].state_entered_event_details.input is 262145 bytes long; at most 262144 "
      "are allowed",
      {{"event_index", "1"}, {"field", "state_entered_event_details.input"}, {"limit", "262144"}});
  ExpectAppended(Append({Started(), Entered(2, 0, std::string(262144, 'x'))}), 2, 2, 0);
}

TEST_P(AppendTest, ABatchHas1To1000Events) {
  ExpectRefused(Append({}), "INVALID_REQUEST", "events is empty", {{"field", "events"}});
  std::vector<std::string> events = Chain(1001);
  ExpectRefused(Append(events), "LIMIT_EXCEEDED",
                "events holds more than 1000 events, the most that one append may hold",
                {{"field", "events"}, {"limit", "1000"}});
  events.pop_back();
  ExpectAppended(Append(events), 1000, 1000, 0);
}

TEST_P(AppendTest, AnEventHasAtMost1MiBAndABatch4) {
  std::string big = Typed(kPassStateEntered, 2);
  while (big.size() <= ANNALS_EVENT_BYTES_MAX) {
    big += Bytes(kStateEnteredDetails, Bytes(2, std::string(200000, 'x')));
  }
  Appended result = Append({Started(), big});
  EXPECT_EQ(result.reason, "LIMIT_EXCEEDED");
  EXPECT_EQ(result.metadata["limit"], "1048576");
  EXPECT_EQ(result.metadata["event_index"], "1");
  std::vector<std::string> events = {Started()};
  for (int id = 2; id <= 17; id++) {
    events.push_back(Entered(id, 200, std::string(262144, 'x')));
  }
  ExpectRefused(Append(events), "LIMIT_EXCEEDED",
                "events holds more than 4194304 bytes, the most that one append may hold",
                {{"field", "events"}, {"limit", "4194304"}});
  events.pop_back();
  ExpectAppended(Append(events), 16, 16, 0);
}

/* --- ARNs and the first append --- */

TEST_P(AppendTest, ArnsAreChecked) {
  EXPECT_EQ(Append({Started()}, "nonsense").message, "Invalid ARN prefix: nonsense");
  EXPECT_EQ(Append({Started()}, "arn:aws:states:us-east-1:123456789012:express:m:n:u").message,
            "Resource type not valid in this context: express");
}

TEST_P(AppendTest, FirstAppendSaysWhatEventsCannot) {
  FirstAppend first = {"arn:aws:states:us-east-1:123456789012:stateMachine:other", "arn:map", 7,
                       "Root=1"};
  ExpectAppended(Append({Started(100)}, kArn, first), 1, 1, 0);
  annals_execution execution = Record();
  EXPECT_EQ(execution.status, ANNALS_STATUS_RUNNING);
  EXPECT_EQ(execution.start_seconds, 100);
  EXPECT_FALSE(execution.stopped);
  EXPECT_EQ(execution.state_machine_arn, first.state_machine_arn);
  EXPECT_EQ(execution.map_run_arn, first.map_run_arn);
  EXPECT_EQ(execution.item_count, 7);
  EXPECT_EQ(execution.trace_header, first.trace_header);
  annals_execution_clear(&execution);
  /* Later appends may repeat it and may not change it. */
  ExpectAppended(Append({Entered(2, 102)}, kArn, first), 2, 1, 0);
  for (const FirstAppend &other :
       {FirstAppend{"arn:aws:states:us-east-1:123456789012:stateMachine:third", "", 0, ""},
        FirstAppend{"", "arn:other", 0, ""}, FirstAppend{"", "", 8, ""},
        FirstAppend{"", "", 0, "Root=2"}}) {
    Appended result = Append({Entered(3, 103)}, kArn, other);
    EXPECT_EQ(result.reason, "INVALID_REQUEST");
    EXPECT_EQ(result.violations.size(), 1U);
    EXPECT_EQ(Append({Started(100)}, kArn, other).reason, "INVALID_REQUEST");
  }
  EXPECT_EQ(All().size(), 2U);
}

TEST_P(AppendTest, StateMachineFollowsFromTheArn) {
  ExpectAppended(Append({Started(100)}), 1, 1, 0);
  annals_execution execution = Record();
  EXPECT_STREQ(execution.state_machine_arn,
               "arn:aws:states:us-east-1:123456789012:stateMachine:machine");
  annals_execution_clear(&execution);
}

TEST_P(AppendTest, FirstAppendIsChecked) {
  EXPECT_EQ(Append({Started()}, kArn, {"nonsense", "", 0, ""}).violations[0],
            "state_machine_arn=nonsense: Invalid ARN prefix: nonsense");
  EXPECT_EQ(Append({Started()}, kArn, {"", std::string(2001, 'x'), 0, ""}).violations[0],
            "map_run_arn=null: Member must have length less than or equal to 2000");
  EXPECT_EQ(Append({Started()}, kArn, {"", "", -1, ""}).violations[0],
            "item_count=null: Member must have value greater than or equal to 0");
  EXPECT_EQ(Append({Started()}, kArn, {"", "", 0, "é"}).violations[0],
            "trace_header=null: Member must have at most 256 characters, all of them ASCII");
}

TEST_P(AppendTest, RecordFollowsTheStatus) {
  ExpectAppended(Append({Started(100), Entered(2, 101)}), 2, 2, 0);
  ExpectAppended(Append({Typed(10, 3)}), 3, 1, 0); /* ExecutionFailed at 103 */
  annals_execution failed = Record();
  EXPECT_EQ(failed.status, ANNALS_STATUS_FAILED);
  EXPECT_TRUE(failed.stopped);
  EXPECT_EQ(failed.stop_seconds, 103);
  annals_execution_clear(&failed);
  ExpectAppended(Append({Typed(60, 4), Entered(5, 106)}), 5, 2, 0); /* ExecutionRedriven at 104 */
  annals_execution redriven = Record();
  EXPECT_EQ(redriven.status, ANNALS_STATUS_RUNNING);
  EXPECT_FALSE(redriven.stopped);
  EXPECT_EQ(redriven.redrive_count, 1);
  EXPECT_EQ(redriven.redrive_seconds, 104);
  EXPECT_EQ(redriven.start_seconds, 100);
  annals_execution_clear(&redriven);
  ExpectAppended(Append({Succeeded(6, 107)}), 6, 1, 0);
  annals_execution succeeded = Record();
  EXPECT_EQ(succeeded.status, ANNALS_STATUS_SUCCEEDED);
  EXPECT_EQ(succeeded.stop_seconds, 107);
  EXPECT_EQ(succeeded.redrive_count, 1);
  annals_execution_clear(&succeeded);
}

/* --- a store that goes wrong --- */

TEST_P(AppendTest, StoreFailuresHaveTheirReasons) {
  ExpectAppended(Append({Started()}), 1, 1, 0);
  struct Case {
    unsigned operation;
    annals_store_outcome outcome;
    const char *reason;
  };
  for (const Case &it : {Case{ANNALS_FAULTY_APPEND, ANNALS_STORE_NO_SPACE, "NO_SPACE"},
                         Case{ANNALS_FAULTY_APPEND, ANNALS_STORE_UNAVAILABLE, "WRITES_STOPPED"},
                         Case{ANNALS_FAULTY_APPEND, ANNALS_STORE_UNKNOWN, "OUTCOME_UNKNOWN"},
                         Case{ANNALS_FAULTY_TAIL, ANNALS_STORE_CORRUPT, "DATA_CORRUPTED"}}) {
    annals_fault fault = {};
    fault.operations = it.operation;
    fault.times = 1;
    fault.outcome = it.outcome;
    annals_faulty_store_inject(store_, &fault);
    EXPECT_EQ(Append({Entered(2, 102)}).reason, it.reason);
  }
  ExpectAppended(Append({Entered(2, 102)}), 2, 1, 0);
}

TEST_P(AppendTest, UnknownOutcomeIsSettledByTheSameAppendAgain) {
  ExpectAppended(Append({Started()}), 1, 1, 0);
  annals_fault fault = {};
  fault.operations = ANNALS_FAULTY_APPEND;
  fault.times = 1;
  fault.outcome = ANNALS_STORE_UNKNOWN;
  fault.done = true;
  annals_faulty_store_inject(store_, &fault);
  EXPECT_EQ(Append({Entered(2, 102)}).reason, "OUTCOME_UNKNOWN");
  ExpectAppended(Append({Entered(2, 102)}), 2, 0, 1);
}

/* A lost race: the store says CONFLICT once, and the append starts over. */
TEST_P(AppendTest, StartsOverWhenAnotherWriterWasFaster) {
  ExpectAppended(Append({Started()}), 1, 1, 0);
  annals_fault fault = {};
  fault.operations = ANNALS_FAULTY_APPEND;
  fault.times = 1;
  fault.outcome = ANNALS_STORE_CONFLICT;
  annals_faulty_store_inject(store_, &fault);
  ExpectAppended(Append({Entered(2, 50), Entered(3)}), 3, 2, 0, 1);
  EXPECT_EQ(annals_faulty_store_hits(store_), 1);
}

TEST_P(AppendTest, GivesUpWhenItAlwaysLoses) {
  annals_fault fault = {};
  fault.operations = ANNALS_FAULTY_APPEND;
  fault.times = -1;
  fault.outcome = ANNALS_STORE_CONFLICT;
  annals_faulty_store_inject(store_, &fault);
  EXPECT_EQ(Append({Started()}).reason, "OVERLOADED");
}

}  // namespace
