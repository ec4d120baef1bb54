#include "tests/storage/conformance.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/frame.h"

namespace annals_test {
namespace {

const char kPrefix[] = "arn:aws:states:eu-central-1:123456789012:execution:orders:";

std::string Arn(const std::string &name) {
  return kPrefix + name;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const int64_t kManyEvents = 3000;
#else
const int64_t kManyEvents = 25000;
#endif

// Runs work(0) to work(count - 1), each on a thread of its own.
void InThreads(int count, const std::function<void(int)> &work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) {
    threads.emplace_back(work, i);
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
}

std::string Join(const std::vector<ReadRun> &runs, bool reverse) {
  std::string frames;
  for (const ReadRun &run : runs) {
    frames = reverse ? run.frames + frames : frames + run.frames;
  }
  return frames;
}

// Checks what holds of any read, whatever is in the history: runs are whole, and follow each other.
void ExpectRunsInOrder(const std::vector<ReadRun> &runs, bool reverse) {
  for (size_t i = 0; i < runs.size(); i++) {
    const ReadRun &run = runs[i];
    ASSERT_LE(run.first_id, run.last_id);
    ASSERT_EQ(
        annals_frame_count(reinterpret_cast<const uint8_t *>(run.frames.data()), run.frames.size()),
        run.last_id - run.first_id + 1);
    if (i > 0 && reverse) {
      ASSERT_EQ(run.last_id, runs[i - 1].first_id - 1);
    } else if (i > 0) {
      ASSERT_EQ(run.first_id, runs[i - 1].last_id + 1);
    }
  }
}

}  // namespace

std::string EngineName(const testing::TestParamInfo<Engine> &info) {
  return info.param.name;
}

void ConformanceTest::SetUp() {
  store_ = GetParam().open(dir_.path(), false);
  ASSERT_NE(store_, nullptr);
}

void ConformanceTest::TearDown() {
  Close();
}

void ConformanceTest::Close() {
  if (store_ != nullptr) {
    store_->ops->close(store_);
    store_ = nullptr;
  }
}

void ConformanceTest::Reopen(bool cold) {
  Close();
  store_ = GetParam().open(dir_.path(), cold);
  ASSERT_NE(store_, nullptr);
}

void ConformanceTest::AppendEvents(const std::string &arn, int64_t first_id, int64_t last_id,
                                   int64_t events_per_append, size_t size) {
  for (int64_t id = first_id; id <= last_id; id += events_per_append) {
    int64_t end = std::min(last_id, id + events_per_append - 1);
    Result result = Append(store_, arn, id - 1, FramesOf(arn, id, end, size));
    ASSERT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
    ASSERT_EQ(result.last_id, end);
  }
}

void ConformanceTest::ExpectRead(const std::string &arn, int64_t from_id, bool reverse,
                                 int64_t last_id, size_t size) {
  SCOPED_TRACE(arn + (reverse ? " down from " : " up from ") + std::to_string(from_id));
  ReadResult result = Read(store_, arn, from_id, reverse);
  ASSERT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
  ExpectRunsInOrder(result.runs, reverse);
  if (!reverse && from_id > last_id) {
    ASSERT_TRUE(result.runs.empty());
    return;
  }
  ASSERT_FALSE(result.runs.empty());
  int64_t wanted_id = std::min(from_id, last_id);
  const ReadRun &first = result.runs.front();
  const ReadRun &last = result.runs.back();
  ASSERT_LE(first.first_id, wanted_id);
  ASSERT_GE(first.last_id, wanted_id);
  ASSERT_EQ(reverse ? last.first_id : last.last_id, reverse ? 1 : last_id);
  int64_t low_id = reverse ? 1 : first.first_id;
  int64_t high_id = reverse ? first.last_id : last_id;
  ASSERT_TRUE(Join(result.runs, reverse) == FramesOf(arn, low_id, high_id, size));
}

void ConformanceTest::ExpectHistory(const std::string &arn, int64_t last_id, size_t size,
                                    int64_t step) {
  for (int64_t id = 1; id <= last_id + 2; id++) {
    if (id % step == 1 % step || id <= 2 || id >= last_id - 1) {
      ASSERT_NO_FATAL_FAILURE(ExpectRead(arn, id, false, last_id, size));
      ASSERT_NO_FATAL_FAILURE(ExpectRead(arn, id, true, last_id, size));
    }
  }
  ASSERT_NO_FATAL_FAILURE(ExpectRead(arn, INT64_MAX, false, last_id, size));
  ASSERT_NO_FATAL_FAILURE(ExpectRead(arn, INT64_MAX, true, last_id, size));
  BytesResult tail = Tail(store_, arn);
  ASSERT_EQ(tail.outcome, ANNALS_STORE_OK) << tail.detail;
  ASSERT_EQ(tail.last_id, last_id);
  ASSERT_TRUE(tail.bytes == Frame(EventOf(arn, last_id, size)));
}

TEST_P(ConformanceTest, NothingIsThereAtFirst) {
  EXPECT_EQ(Read(store_, Arn("a"), 1, false).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Read(store_, Arn("a"), INT64_MAX, true).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Tail(store_, Arn("a")).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Get(store_, Arn("a")).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_HEALTHY);
}

TEST_P(ConformanceTest, EveryOperationAnswersPendingIfTheEngineIsSuch) {
  Result append = Append(store_, Arn("a"), 0, FramesOf(Arn("a"), 1, 3));
  EXPECT_EQ(append.outcome, ANNALS_STORE_OK);
  if (GetParam().always_pending) {
    EXPECT_EQ(append.progress, ANNALS_STORE_PENDING);
    EXPECT_EQ(Read(store_, Arn("a"), 1, false).progress, ANNALS_STORE_PENDING);
    EXPECT_EQ(Tail(store_, Arn("a")).progress, ANNALS_STORE_PENDING);
    EXPECT_EQ(Get(store_, Arn("a")).progress, ANNALS_STORE_PENDING);
  }
}

TEST_P(ConformanceTest, ReadsBackWhatWasAppended) {
  for (int64_t events_per_append : {1, 7, 99, 100, 101, 230}) {
    std::string arn = Arn("by-" + std::to_string(events_per_append));
    ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 230, events_per_append));
    ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 230));
  }
}

TEST_P(ConformanceTest, ReadsBackHistoriesOfEveryLength) {
  for (int64_t last_id : {1, 2, 3, 98, 99, 100, 101, 102, 199, 200, 201}) {
    std::string arn = Arn("long-" + std::to_string(last_id));
    ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, last_id, 13));
    ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id));
  }
}

TEST_P(ConformanceTest, ReadsBackEventsOfEverySize) {
  for (size_t size : {20u, 1000u, 9000u, 65535u, 65536u, 70000u}) {
    std::string arn = Arn("wide-" + std::to_string(size));
    ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 23, 3, size));
    ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 23, size));
  }
}

TEST_P(ConformanceTest, KeepsEveryByteOfAnEvent) {
  std::string event;
  for (int i = 0; i < 256; i++) {
    event.push_back(static_cast<char>(i));
  }
  std::string frames = Frame(event) + Frame("") + Frame(std::string(3, '\0'));
  ASSERT_EQ(Append(store_, Arn("a"), 0, frames).outcome, ANNALS_STORE_OK);
  Reopen();
  EXPECT_EQ(Join(Read(store_, Arn("a"), 1, false).runs, false), frames);
  EXPECT_EQ(Tail(store_, Arn("a")).bytes, Frame(std::string(3, '\0')));
}

TEST_P(ConformanceTest, KeepsEventsOfOneMebibyte) {
  const size_t size = 1 << 20;
  std::string arn = Arn("big");
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 2, 1, size));
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 3, 6, 4, size));
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 6, size));
  Reopen(true);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 6, size));
}

TEST_P(ConformanceTest, KeepsSmallAndBigEventsTogether) {
  std::string arn = Arn("mixed");
  std::string all;
  int64_t last_id = 0;
  for (size_t size : {10, 100000, 20, 30, 300000, 40}) {
    std::string frame = Frame(EventOf(arn, last_id + 1, size));
    ASSERT_EQ(Append(store_, arn, last_id, frame + frame).outcome, ANNALS_STORE_OK);
    all += frame + frame;
    last_id += 2;
  }
  EXPECT_TRUE(Join(Read(store_, arn, 1, false).runs, false) == all);
  EXPECT_TRUE(Join(Read(store_, arn, INT64_MAX, true).runs, true) == all);
}

TEST_P(ConformanceTest, KeepsManyEventsWrittenOneAtATime) {
  std::string arn = Arn("many");
  // All but the first are sent without waiting for each other's acknowledgement, in small windows:
  // the order in which they are handled is the engine's, so a conflict is tried again.
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 1, 1));
  const int64_t window = 50;
  int64_t last_id = 1;
  while (last_id < kManyEvents) {
    std::vector<std::unique_ptr<PendingAppend>> appends;
    int64_t end = std::min(kManyEvents, last_id + window);
    for (int64_t id = last_id + 1; id <= end; id++) {
      appends.push_back(
          std::make_unique<PendingAppend>(store_, arn, id - 1, FramesOf(arn, id, id)));
    }
    for (auto &append : appends) {
      Result result = append->Wait();
      if (result.outcome == ANNALS_STORE_OK) {
        last_id = std::max(last_id, result.last_id);
      } else {
        ASSERT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
      }
    }
  }
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, kManyEvents, 40, kManyEvents / 5));
  Reopen();
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, kManyEvents, 40, kManyEvents / 3));
}

TEST_P(ConformanceTest, RefusesAnAppendThatExpectsAnotherEnd) {
  std::string arn = Arn("a");
  Result result = Append(store_, arn, 5, FramesOf(arn, 6, 6), {false, "record"});
  EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(result.last_id, 0);
  EXPECT_EQ(Read(store_, arn, 1, false).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Get(store_, arn).outcome, ANNALS_STORE_NOT_FOUND);

  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 4, 2));
  for (int64_t expected : {0, 1, 3, 5, 100}) {
    result = Append(store_, arn, expected, FramesOf(arn, 90, 91), {true, "other"});
    EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
    EXPECT_EQ(result.last_id, 4);
  }
  EXPECT_EQ(Get(store_, arn).bytes, "");
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 4));
  Reopen();
  result = Append(store_, arn, 0, FramesOf(arn, 1, 1));
  EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(result.last_id, 4);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 4));
}

TEST_P(ConformanceTest, LetsOneOfManyWithTheSameEndIn) {
  for (int round = 0; round < 10; round++) {
    std::string arn = Arn("race-" + std::to_string(round));
    std::vector<std::unique_ptr<PendingAppend>> appends;
    for (int64_t i = 0; i < 20; i++) {
      // Of one, two or three events, so that the id the losers get tells who won.
      std::string event = "by " + std::to_string(i);
      std::string frames;
      for (int64_t j = 0; j <= i % 3; j++) {
        frames += Frame(event);
      }
      appends.push_back(
          std::make_unique<PendingAppend>(store_, arn, 0, frames, AppendOptions{false, event}));
    }
    int winner = -1;
    std::vector<Result> results;
    for (size_t i = 0; i < appends.size(); i++) {
      results.push_back(appends[i]->Wait());
      if (results[i].outcome == ANNALS_STORE_OK) {
        ASSERT_EQ(winner, -1);
        winner = static_cast<int>(i);
      }
    }
    ASSERT_NE(winner, -1);
    for (size_t i = 0; i < results.size(); i++) {
      ASSERT_EQ(results[i].last_id, winner % 3 + 1);
      ASSERT_TRUE(results[i].outcome == ANNALS_STORE_OK ||
                  results[i].outcome == ANNALS_STORE_CONFLICT);
    }
    std::string event = "by " + std::to_string(winner);
    EXPECT_EQ(Tail(store_, arn).bytes, Frame(event));
    EXPECT_EQ(Tail(store_, arn).last_id, winner % 3 + 1);
    EXPECT_EQ(Get(store_, arn).bytes, event);
  }
}

TEST_P(ConformanceTest, PutsARecordWithTheEvents) {
  std::string arn = Arn("a");
  ASSERT_EQ(Append(store_, arn, 0, FramesOf(arn, 1, 1), {false, "one"}).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Get(store_, arn).bytes, "one");
  ASSERT_EQ(Append(store_, arn, 1, FramesOf(arn, 2, 2)).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Get(store_, arn).bytes, "one");
  std::string binary("two\0\xff", 5);
  ASSERT_EQ(Append(store_, arn, 2, FramesOf(arn, 3, 3), {true, binary}).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Get(store_, arn).bytes, binary);
  ASSERT_EQ(Append(store_, arn, 2, FramesOf(arn, 3, 3), {true, "three"}).outcome,
            ANNALS_STORE_CONFLICT);
  EXPECT_EQ(Get(store_, arn).bytes, binary);
  Reopen(true);
  EXPECT_EQ(Get(store_, arn).bytes, binary);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 3));
}

TEST_P(ConformanceTest, AnExecutionWithoutARecordHasAnEmptyOne) {
  std::string arn = Arn("a");
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 1, 1));
  EXPECT_EQ(Get(store_, arn).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Get(store_, arn).bytes, "");
}

TEST_P(ConformanceTest, TellsTheTailBehindEveryAppend) {
  std::string arn = Arn("a");
  for (int64_t id = 1; id <= 205; id++) {
    ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, id, id, 1));
    BytesResult tail = Tail(store_, arn);
    ASSERT_EQ(tail.last_id, id);
    ASSERT_EQ(tail.bytes, Frame(EventOf(arn, id)));
  }
}

TEST_P(ConformanceTest, ShowsWhatIsAcknowledgedAtOnce) {
  std::string arn = Arn("a");
  for (int64_t id = 1; id <= 120; id++) {
    ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, id, id, 1));
    ASSERT_NO_FATAL_FAILURE(ExpectRead(arn, id, false, id));
    ASSERT_NO_FATAL_FAILURE(ExpectRead(arn, INT64_MAX, true, id));
  }
}

TEST_P(ConformanceTest, GoesOnBehindASeal) {
  std::string arn = Arn("redrive");
  int64_t last_id = 0;
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 5; i++) {
      AppendOptions options;
      options.seal = i == 4;
      ASSERT_EQ(
          Append(store_, arn, last_id, FramesOf(arn, last_id + 1, last_id + 3), options).outcome,
          ANNALS_STORE_OK);
      last_id += 3;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id));
  }
  Reopen();
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id));
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, last_id + 1, last_id + 2, 1));
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id + 2));
}

TEST_P(ConformanceTest, SealsEveryAppendIfTold) {
  std::string arn = Arn("a");
  for (int64_t id = 1; id <= 20; id++) {
    ASSERT_EQ(Append(store_, arn, id - 1, FramesOf(arn, id, id), {true, ""}).outcome,
              ANNALS_STORE_OK);
  }
  ASSERT_EQ(Append(store_, arn, 20, FramesOf(arn, 21, 270), {true, ""}).outcome, ANNALS_STORE_OK);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 270, 40, 7));
}

TEST_P(ConformanceTest, KeepsSimilarNamesApart) {
  const std::vector<std::string> names = {"x",  "x1", "x11",   "x:B", "x:T", "xB",
                                          "xT", "xU", "x\x01", "w",   "y",   "X"};
  int64_t length = 1;
  for (const std::string &name : names) {
    ASSERT_NO_FATAL_FAILURE(AppendEvents(Arn(name), 1, 90 + 5 * length, 4));
    length++;
  }
  for (int reopened = 0; reopened < 2; reopened++) {
    length = 1;
    for (const std::string &name : names) {
      ASSERT_NO_FATAL_FAILURE(ExpectHistory(Arn(name), 90 + 5 * length, 40, 17));
      length++;
    }
    for (const char *name : {"", "x111", "x:", "v", "z"}) {
      EXPECT_EQ(Read(store_, Arn(name), 1, false).outcome, ANNALS_STORE_NOT_FOUND);
      EXPECT_EQ(Read(store_, Arn(name), INT64_MAX, true).outcome, ANNALS_STORE_NOT_FOUND);
      EXPECT_EQ(Tail(store_, Arn(name)).outcome, ANNALS_STORE_NOT_FOUND);
    }
    Reopen(true);
  }
}

TEST_P(ConformanceTest, StopsWhenOnRunHasEnough) {
  std::string arn = Arn("a");
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 530, 3));
  for (int cold = 0; cold < 2; cold++) {
    for (bool reverse : {false, true}) {
      size_t all = Read(store_, arn, reverse ? INT64_MAX : 1, reverse).runs.size();
      for (size_t enough = 1; enough <= all; enough++) {
        size_t runs = 0;
        ReadResult result = Read(store_, arn, reverse ? INT64_MAX : 1, reverse,
                                 [&](const ReadRun &) { return ++runs < enough; });
        ASSERT_EQ(result.outcome, ANNALS_STORE_OK);
        ASSERT_EQ(result.runs.size(), enough);
        ExpectRunsInOrder(result.runs, reverse);
      }
    }
    Reopen(true);
  }
}

TEST_P(ConformanceTest, ReadsWhatIsNotInMemory) {
  std::string arn = Arn("a");
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 340, 6, 700));
  ASSERT_EQ(Append(store_, Arn("b"), 0, FramesOf(Arn("b"), 1, 1), {true, "record"}).outcome,
            ANNALS_STORE_OK);
  Reopen(true);
  ReadResult read = Read(store_, arn, 1, false);
  EXPECT_EQ(read.outcome, ANNALS_STORE_OK);
  EXPECT_TRUE(read.on_engine_thread || !GetParam().cold_reads_use_engine_thread);
  EXPECT_EQ(Get(store_, Arn("b")).bytes, "record");
  EXPECT_EQ(Tail(store_, Arn("b")).last_id, 1);
  EXPECT_EQ(Tail(store_, Arn("none")).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Get(store_, Arn("none")).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Read(store_, Arn("none"), 1, true).outcome, ANNALS_STORE_NOT_FOUND);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 340, 700, 29));
}

TEST_P(ConformanceTest, GoesOnWhereItWasWhenOpenedAgain) {
  std::string arn = Arn("a");
  int64_t last_id = 0;
  for (int64_t count : {1, 3, 95, 1, 1, 120, 99}) {
    ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, last_id + 1, last_id + count, 2));
    last_id += count;
    Reopen(count % 2 == 0);
    ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id, 40, 31));
  }
}

TEST_P(ConformanceTest, ManyThreadsShareOneExecution) {
  const int64_t target = 300;
  std::string arn = Arn("hot");
  std::mutex lock;
  std::map<int64_t, std::string> acknowledged;
  InThreads(8, [&](int thread) {
    int64_t last_id = 0;
    for (int turn = 0; last_id < target; turn++) {
      std::string event = std::to_string(thread) + " " + std::to_string(turn);
      Result result = Append(store_, arn, last_id, Frame(event));
      if (result.outcome == ANNALS_STORE_OK) {
        ASSERT_EQ(result.last_id, last_id + 1);
        std::lock_guard<std::mutex> guard(lock);
        ASSERT_TRUE(acknowledged.emplace(result.last_id, event).second);
      } else {
        ASSERT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
        ASSERT_GT(result.last_id, last_id);
      }
      last_id = result.last_id;
    }
  });
  ASSERT_EQ(acknowledged.size(), static_cast<size_t>(acknowledged.rbegin()->first));
  std::string all;
  for (const auto &[id, event] : acknowledged) {
    all += Frame(event);
  }
  EXPECT_TRUE(Join(Read(store_, arn, 1, false).runs, false) == all);
  Reopen();
  EXPECT_TRUE(Join(Read(store_, arn, INT64_MAX, true).runs, true) == all);
}

TEST_P(ConformanceTest, ManyThreadsWriteManyExecutions) {
  const int64_t last_id = 24;
  InThreads(8, [&](int thread) {
    for (int i = 0; i < 6; i++) {
      std::string arn = Arn(std::to_string(thread) + "-" + std::to_string(i));
      ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, last_id, 1 + i));
    }
  });
  for (int reopened = 0; reopened < 2; reopened++) {
    InThreads(8, [&](int thread) {
      for (int i = 0; i < 6; i++) {
        std::string arn = Arn(std::to_string(thread) + "-" + std::to_string(i));
        ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id, 40, 5));
      }
    });
    Reopen(true);
  }
}

TEST_P(ConformanceTest, ReadersSeeAWholeHistoryWhileItGrows) {
  const int64_t last_id = 420;
  std::string arn = Arn("growing");
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 120, 30));
  Reopen(true);
  std::atomic<int64_t> durable_id{120};
  InThreads(4, [&](int thread) {
    if (thread == 0) {
      for (int64_t id = 121; id <= last_id; id++) {
        AppendEvents(arn, id, id, 1);
        durable_id = id;
      }
      return;
    }
    int64_t seen_id = 0;
    while (seen_id < last_id) {
      bool reverse = thread == 2;
      int64_t begun_id = durable_id;
      if (thread == 3) {
        seen_id = Tail(store_, arn).last_id;
      } else {
        ReadResult result = Read(store_, arn, reverse ? INT64_MAX : 1, reverse);
        ASSERT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
        ASSERT_NO_FATAL_FAILURE(ExpectRunsInOrder(result.runs, reverse));
        seen_id = reverse ? result.runs.front().last_id : result.runs.back().last_id;
        ASSERT_TRUE(Join(result.runs, reverse) == FramesOf(arn, 1, seen_id));
      }
      ASSERT_GE(seen_id, begun_id);
    }
  });
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id, 40, 50));
}

TEST_P(ConformanceTest, ColdExecutionsAreAskedForByManyAtOnce) {
  std::string arn = Arn("cold");
  ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, 150, 10));
  Reopen(true);
  std::atomic<int> successes{0};
  InThreads(8, [&](int thread) {
    if (thread % 2 == 0) {
      BytesResult tail = Tail(store_, arn);
      ASSERT_EQ(tail.outcome, ANNALS_STORE_OK);
      ASSERT_GE(tail.last_id, 150);
    } else {
      Result result = Append(store_, arn, 150, FramesOf(arn, 151, 151));
      successes += result.outcome == ANNALS_STORE_OK;
      ASSERT_EQ(result.last_id, 151);
    }
  });
  EXPECT_EQ(successes, 1);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 151, 40, 40));
}

TEST_P(ConformanceTest, CloseWaitsForWhatIsQueued) {
  std::vector<std::unique_ptr<PendingAppend>> appends;
  for (int i = 0; i < 300; i++) {
    std::string arn = Arn("queued-" + std::to_string(i));
    appends.push_back(std::make_unique<PendingAppend>(store_, arn, 0, FramesOf(arn, 1, 3)));
  }
  Close();
  std::vector<Result> results;
  for (auto &append : appends) {
    results.push_back(append->Wait());
  }
  Reopen();
  for (int i = 0; i < 300; i++) {
    std::string arn = Arn("queued-" + std::to_string(i));
    ASSERT_EQ(results[i].outcome, ANNALS_STORE_OK);
    ASSERT_NO_FATAL_FAILURE(ExpectRead(arn, 1, false, 3));
  }
}

// The suite is in a library of its own: an engine's test says which engines it runs over.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ConformanceTest);

}  // namespace annals_test
