#include <atomic>
#include <future>
#include <thread>
#include <tuple>

#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;

/* Event types, and the numbers of their details. */
constexpr int kAborted = 9, kFailed = 10, kStarted = 11, kSucceeded = 12, kTimedOut = 13;
constexpr int kRedriven = 60;

const char kMapRun[] = "arn:aws:states:us-east-1:123456789012:mapRun:machine/label:run";
const int64_t kDay = int64_t{86400} * 1000000;

std::string Failure(const std::string &error, const std::string &cause) {
  return Bytes(1, error) + Bytes(2, cause);
}

/* Over the engine as it is, and with every step pending. */
class DescribeTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  DescribeTest() {
    annals_faulty_store_set_pending(store_, GetParam());
  }

  Members MustDescribe(const DescribeQuery &query = {}) {
    Described described = Describe(query);
    EXPECT_TRUE(described.ok) << described.reason << ": " << described.message;
    return described.members;
  }

  void MustAppend(const std::vector<std::string> &events, const FirstAppend &first = {}) {
    Appended appended = Append(events, kArn, first);
    ASSERT_TRUE(appended.ok) << appended.reason << ": " << appended.message;
  }

  void Fault(unsigned operations, annals_store_outcome outcome, int skip = 0) {
    annals_fault fault = {};
    fault.operations = operations;
    fault.skip = skip;
    fault.times = 1;
    fault.outcome = outcome;
    annals_faulty_store_inject(store_, &fault);
  }
};

INSTANTIATE_TEST_SUITE_P(Store, DescribeTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

Members Running() {
  return {{"status", "RUNNING"},
          {"redrive_count", "0"},
          {"start", "100.0"},
          {"state_machine", kStateMachine},
          {"name", "name"},
          {"redrive_status", "NOT_REDRIVABLE"},
          {"redrive_status_reason", "Execution is RUNNING and cannot be redriven"}};
}

/* What has ended at 102, within the last 14 days. */
Members Ended(const std::string &status) {
  Members members = Running();
  members["status"] = status;
  members["stop"] = "102.0";
  members["redrive_status"] = "REDRIVABLE";
  members.erase("redrive_status_reason");
  return members;
}

TEST_P(DescribeTest, TellsNothingThatNobodyToldIt) {
  MustAppend({Started()});
  EXPECT_EQ(MustDescribe(), Running());
}

TEST_P(DescribeTest, TellsWhatTheFirstAppendAndTheFirstEventTell) {
  const std::string machine = "arn:aws:states:us-east-1:123456789012:stateMachine:other";
  std::string details = Bytes(1, "{\"a\":1}") + Bytes(3, "role") + Bytes(4, machine + ":alias") +
                        Bytes(5, machine + ":7");
  MustAppend({Typed(kStarted, 1, Bytes(31, details))}, {machine, kMapRun, 3, "Root=1"});
  EXPECT_EQ(MustDescribe(),
            (Members{{"status", "RUNNING"},
                     {"redrive_count", "0"},
                     {"start", "101.0"},
                     {"state_machine", machine},
                     {"version", machine + ":7"},
                     {"alias", machine + ":alias"},
                     {"map_run", kMapRun},
                     {"item_count", "3"},
                     {"trace_header", "Root=1"},
                     {"name", "name"},
                     {"input", "{\"a\":1}"},
                     {"redrive_status", "NOT_REDRIVABLE"},
                     {"redrive_status_reason", "Execution is RUNNING and cannot be redriven"}}));
}

TEST_P(DescribeTest, TellsHowItEnded) {
  MustAppend({Started(), Typed(kFailed, 2, Bytes(30, Failure("States.X", "because")))});
  Members failed = Ended("FAILED");
  failed["error"] = "States.X";
  failed["cause"] = "because";
  EXPECT_EQ(MustDescribe(), failed);
}

TEST_P(DescribeTest, TellsOfAnAbort) {
  MustAppend({Started(), Typed(kAborted, 2, Bytes(33, Bytes(2, "by hand")))});
  Members aborted = Ended("ABORTED");
  aborted["cause"] = "by hand";
  EXPECT_EQ(MustDescribe(), aborted);
}

TEST_P(DescribeTest, TellsOfATimeout) {
  MustAppend({Started(), Typed(kTimedOut, 2, Bytes(34, Failure("States.Timeout", "")))});
  Members timed_out = Ended("TIMED_OUT");
  timed_out["error"] = "States.Timeout";
  EXPECT_EQ(MustDescribe(), timed_out);
}

TEST_P(DescribeTest, TellsOfAnEndWithoutDetails) {
  MustAppend({Started(), Typed(kAborted, 2)});
  EXPECT_EQ(MustDescribe(), Ended("ABORTED"));
}

TEST_P(DescribeTest, TellsTheOutputOfSuccess) {
  MustAppend({Started(), Typed(kSucceeded, 2, Bytes(32, Bytes(1, "[2]")))});
  Members succeeded = Ended("SUCCEEDED");
  succeeded["output"] = "[2]";
  succeeded["redrive_status"] = "NOT_REDRIVABLE";
  succeeded["redrive_status_reason"] = "Execution is SUCCEEDED and cannot be redriven";
  EXPECT_EQ(MustDescribe(), succeeded);
  Reopen();
  EXPECT_EQ(MustDescribe(), succeeded);
}

/* The terminal event need not be the last one: it is found in the midst of a long history. */
TEST_P(DescribeTest, FindsTheEndInALongHistory) {
  std::vector<std::string> events = Chain(230);
  MustAppend(events);
  MustAppend({Typed(kFailed, 231, Bytes(30, Failure("E", "")))});
  for (int id = 232; id < 250; id++) {
    MustAppend({Entered(id, 1000)});
  }
  Members failed = Ended("FAILED");
  failed["stop"] = "331.0";
  failed["error"] = "E";
  EXPECT_EQ(MustDescribe(), failed);
  Reopen();
  EXPECT_EQ(MustDescribe(), failed);
}

TEST_P(DescribeTest, RedriveReopensAndTheNextEndCloses) {
  MustAppend({Started(), Typed(kFailed, 2, Bytes(30, Failure("First", "a"))), Typed(kRedriven, 3)});
  Members running = Running();
  running["redrive_count"] = "1";
  running["redrive"] = "103.0";
  EXPECT_EQ(MustDescribe(), running);
  MustAppend({Typed(kTimedOut, 4, Bytes(34, Failure("Second", "b")))});
  Members timed_out = Ended("TIMED_OUT");
  timed_out["stop"] = "104.0";
  timed_out["redrive_count"] = "1";
  timed_out["redrive"] = "103.0";
  timed_out["error"] = "Second";
  timed_out["cause"] = "b";
  EXPECT_EQ(MustDescribe(), timed_out);
  MustAppend({Typed(kRedriven, 5)});
  MustAppend({Typed(kSucceeded, 6, Bytes(32, Bytes(1, "{}")))});
  Members members = MustDescribe();
  EXPECT_EQ(members["status"], "SUCCEEDED");
  EXPECT_EQ(members["stop"], "106.0");
  EXPECT_EQ(members["redrive_count"], "2");
  EXPECT_EQ(members["redrive"], "105.0");
  EXPECT_EQ(members["output"], "{}");
  EXPECT_EQ(members.count("error"), 0U);
  EXPECT_EQ(members.count("cause"), 0U);
}

TEST_P(DescribeTest, RedrivablePeriodIs14Days) {
  MustAppend({Started(), Typed(kFailed, 2)}); /* ends at 102 s */
  now_us_ = int64_t{102} * 1000000 + 14 * kDay;
  EXPECT_EQ(MustDescribe()["redrive_status"], "REDRIVABLE");
  now_us_ += 1;
  Members members = MustDescribe();
  EXPECT_EQ(members["redrive_status"], "NOT_REDRIVABLE");
  EXPECT_EQ(members["redrive_status_reason"], "Execution redrivable period exceeded");
}

TEST_P(DescribeTest, ExecutionsOfAMapRunAreRedrivenByIt) {
  MustAppend({Started(), Typed(kFailed, 2)}, {"", kMapRun, 0, ""});
  Members members = MustDescribe();
  EXPECT_EQ(members["redrive_status"], "REDRIVABLE_BY_MAP_RUN");
  EXPECT_EQ(members.count("redrive_status_reason"), 0U);
  now_us_ = int64_t{103} * 1000000 + 14 * kDay;
  EXPECT_EQ(MustDescribe()["redrive_status"], "NOT_REDRIVABLE");
}

TEST_P(DescribeTest, MetadataIsToldWithoutReadingEvents) {
  MustAppend({Typed(kStarted, 1, Bytes(31, Bytes(1, "{}"))),
              Typed(kFailed, 2, Bytes(30, Failure("E", "c")))});
  const int reads = annals_faulty_store_calls(store_, ANNALS_FAULTY_READ);
  DescribeQuery query;
  query.included_data = "METADATA_ONLY";
  Members members = Ended("FAILED");
  members["start"] = "101.0";
  EXPECT_EQ(MustDescribe(query), members);
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_READ), reads);
  query.included_data = "ALL_DATA";
  members["input"] = "{}";
  members["error"] = "E";
  members["cause"] = "c";
  EXPECT_EQ(MustDescribe(query), members);
}

/* --- errors --- */

TEST_P(DescribeTest, NoSuchExecution) {
  DescribeQuery query;
  query.arn = std::string(kArn) + "x";
  Described described = Describe(query);
  EXPECT_EQ(described.reason, "EXECUTION_DOES_NOT_EXIST");
  EXPECT_EQ(described.metadata, (Members{{"execution_arn", *query.arn}}));
}

TEST_P(DescribeTest, ConstraintsAreCheckedAllAtOnceAndBeforeTheArn) {
  DescribeQuery query;
  query.arn = std::string(257, 'x');
  query.included_data = "SOME";
  Described described = Describe(query);
  EXPECT_EQ(described.reason, "INVALID_REQUEST");
  EXPECT_EQ(
      described.violations,
      (std::vector<std::string>{
          "execution_arn=" + *query.arn + ": Member must have length less than or equal to 256",
          "included_data=SOME: Member must satisfy enum value set: [ALL_DATA, "
          "METADATA_ONLY]"}));
  query.arn = std::nullopt;
  query.included_data = "";
  EXPECT_EQ(Describe(query).violations[0], "execution_arn=null: Member must not be null");
  EXPECT_EQ(Describe(query).violations.size(), 2U);
  query = DescribeQuery();
  query.arn = "";
  EXPECT_EQ(Describe(query).violations[0],
            "execution_arn=: Member must have length greater than or equal to 1");
  query.arn = kStateMachine;
  Described arn = Describe(query);
  EXPECT_EQ(arn.reason, "INVALID_ARN");
  EXPECT_EQ(arn.message, "Resource type not valid in this context: stateMachine");
}

TEST_P(DescribeTest, StoreFailuresHaveTheirReasons) {
  MustAppend({Started(), Typed(kFailed, 2)});
  Fault(ANNALS_FAULTY_GET, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(Describe().reason, "DATA_CORRUPTED");
  Fault(ANNALS_FAULTY_READ, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(Describe().reason, "DATA_CORRUPTED");
  Fault(ANNALS_FAULTY_READ, ANNALS_STORE_CORRUPT, 1);
  EXPECT_EQ(Describe().reason, "DATA_CORRUPTED");
  Fault(ANNALS_FAULTY_GET, ANNALS_STORE_UNAVAILABLE);
  EXPECT_EQ(Describe().reason, "INTERNAL");
  EXPECT_TRUE(Describe().ok);
}

/* Deleted after its record was read. */
TEST_P(DescribeTest, DeletedUnderWayIsNotThere) {
  MustAppend({Started(), Typed(kFailed, 2)});
  for (int skip : {0, 1}) {
    Fault(ANNALS_FAULTY_READ, ANNALS_STORE_NOT_FOUND, skip);
    EXPECT_EQ(Describe().reason, "EXECUTION_DOES_NOT_EXIST");
  }
}

/* Puts a record behind the domain's back, with an event that changes nothing. */
void PutRecord(annals_store *store, const annals_execution &execution, int64_t last_id) {
  size_t size = 0;
  uint8_t *record = annals_execution_write(&execution, &size);
  std::string frame = Bytes(1, Entered(last_id + 1, 200));
  std::promise<void> done;
  annals_store_append append = {};
  append.op.owner = &done;
  append.op.on_done = [](annals_store_op *op) {
    static_cast<std::promise<void> *>(op->owner)->set_value();
  };
  append.arn = kArn;
  append.expected_last_id = last_id;
  append.frames = reinterpret_cast<const uint8_t *>(frame.data());
  append.frames_bytes = frame.size();
  append.event_count = 1;
  append.record = record;
  append.record_bytes = size;
  if (store->ops->append(store, &append) == ANNALS_STORE_PENDING) {
    done.get_future().wait();
  }
  EXPECT_EQ(append.op.outcome, ANNALS_STORE_OK);
  g_free(record);
}

TEST_P(DescribeTest, RecordThatItsEventsDoNotBearOutIsDamage) {
  MustAppend({Started(), Typed(kFailed, 2)});
  char empty[] = "";
  annals_execution execution = {};
  execution.status = ANNALS_STATUS_FAILED;
  execution.start_seconds = 100;
  execution.stopped = true;
  execution.state_machine_arn = execution.state_machine_version_arn =
      execution.state_machine_alias_arn = execution.map_run_arn = execution.trace_header = empty;
  int64_t last_id = 2;
  /* No such event; one that is not terminal; another time, of the end and of the start. */
  for (auto [stop_event_id, stop_seconds, start_seconds] :
       {std::tuple{9, 102, 100}, {1, 100, 100}, {2, 103, 100}, {2, 102, 99}}) {
    execution.stop_event_id = stop_event_id;
    execution.stop_seconds = stop_seconds;
    execution.start_seconds = start_seconds;
    PutRecord(store_, execution, last_id++);
    EXPECT_EQ(Describe().reason, "DATA_CORRUPTED") << stop_event_id << " " << stop_seconds;
  }
  execution.start_seconds = 100;
  PutRecord(store_, execution, last_id++);
  EXPECT_TRUE(Describe().ok);
}

/* While its name is deleted and used again, what is told is of one of the executions. */
TEST_P(DescribeTest, TellsOfOneMoment) {
  std::atomic<bool> over = false;
  std::thread writer([this, &over] {
    for (int i = 100; i < 200; i++) {
      std::string text = std::to_string(i);
      std::string started = Timestamp(i, 0) + Int(kEventType, kStarted) + Int(kEventId, 1) +
                            Bytes(31, Bytes(1, text));
      EXPECT_TRUE(Append({started}).ok);
      EXPECT_TRUE(Append({Typed(kFailed, 2, Bytes(30, Bytes(1, text)))}).ok);
      EXPECT_TRUE(Delete().ok);
    }
    over = true;
  });
  while (!over) {
    Described described = Describe();
    if (!described.ok) {
      ASSERT_EQ(described.reason, "EXECUTION_DOES_NOT_EXIST");
      continue;
    }
    Members &members = described.members;
    EXPECT_EQ(members["start"], members["input"] + ".0");
    EXPECT_EQ(members["error"], members["status"] == "FAILED" ? members["input"] : "");
  }
  writer.join();
}

TEST_P(DescribeTest, EndsWhenNobodyWaits) {
  MustAppend({Started()});
  annals_cancel cancel = {};
  annals_cancel_now(&cancel);
  cancel_ = &cancel;
  EXPECT_EQ(Describe().reason, "CANCELLED");
}

}  // namespace
